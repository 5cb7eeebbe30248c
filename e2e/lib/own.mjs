// What a gateway prepares, of its own: an empty store of environments, whose builds are no other test's.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'hopyard');

// Shared by all tests: an environment, its tools and Lab's pages.
export const prepared = process.env.HOPYARD_TEST_PREPARED || join(cache, 'prepared');

// Packages of the test channel that were unpacked and compiled once (run.mjs makes it), so that not every test does it again. Without
// it tests take longer and do the same.
export const seed = process.env.HOPYARD_TEST_SEED || join(cache, 'e2e/seed');
export const seeded = ['pkgs', 'pyc'];

// own makes such a folder: the tools and the pages are everybody's, the files of packages are links to the seed's.
export function own(folder) {
  mkdirSync(join(folder, 'envs'), { recursive: true, mode: 0o700 });
  for (const shared of ['tools', 'ui']) {
    mkdirSync(join(prepared, shared), { recursive: true, mode: 0o700 });
    symlinkSync(join(prepared, shared), join(folder, shared));
  }
  for (const part of seeded) {
    if (existsSync(join(seed, part))) execFileSync('cp', ['-al', join(seed, part), join(folder, 'envs')]);
  }
  return folder;
}

// clear removes a folder with sealed environments in it, whose folders nobody may change. Their files stay as they are: they are
// everybody's.
export function clear(folder) {
  execFileSync('find', [folder, '-type', 'd', '!', '-perm', '-u=w', '-exec', 'chmod', 'u+w', '{}', '+']);
  rmSync(folder, { recursive: true, force: true });
}
