// Takes pictures of the scenes, once they have been run, to where the documents show them: node e2e/lib/pictures.mjs
import { copyFileSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const top = resolve(import.meta.dirname, '../..');

// By their names in docs/screenshots.
const pictures = {
  environment: 'environment-packages-1280-light',
  'environment-build': 'environment-build',
  'environment-diff': 'environment-diff',
  jupyterlab: 'lab-plot',
  notebook: 'notebook-seven',
  project: 'console-project-1280-light',
  reconnected: 'reconnect-whole',
  'running-dark': 'console-running-1280-dark',
  'running-phone': 'console-running-390-light',
};

for (const [name, scene] of Object.entries(pictures)) {
  const from = join(top, 'e2e/out', scene + '.png');
  if (existsSync(from)) copyFileSync(from, join(top, 'docs/screenshots', name + '.png'));
  else console.error(`${scene}: its scene has not been run`);
}
