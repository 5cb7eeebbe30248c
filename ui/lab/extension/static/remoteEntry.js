// A lab extension of Hopyard's own: a notebook whose kernel runs on an older build of its environment says so in its toolbar,
// and a notebook that is run keeps the build's name in its metadata.
//
// It is written as a module-federation container by hand, because it is small and has nothing to bundle: Lab's page calls
// init with its shared modules and get for the plugin.
(() => {
  'use strict';

  const NAME = '@hopyard/environment';
  const METADATA = 'hopyard'; // the server writes the same key when it saves
  let shared;

  /** One of Lab's own modules, in the version that the page runs. */
  async function lab(name) {
    const versions = Object.values(shared[name] ?? {});
    if (!versions.length) throw new Error(`${NAME}: this page has no ${name}`);
    return (await versions[0].get())();
  }

  /** The console's API, seen from the project's Jupyter base URL: /p/PROJECT/jupyter/. */
  class Api {
    constructor(baseUrl) {
      const url = new URL(baseUrl, location.href);
      const [, before, project] = url.pathname.match(/^(.*)\/p\/([^/]+)\/jupyter\/?$/) ?? [];
      this.known = project !== undefined;
      this.root = `${url.origin}${before ?? ''}/api/v1`;
      this.project = project;
    }

    async read(path) {
      const answer = await fetch(`${this.root}/projects/${this.project}${path}`, { credentials: 'same-origin' });
      return answer.ok ? answer.json() : undefined;
    }

    /**
     * Calls changed when an environment of the project may have changed: also when the stream opens, because what changed before that is
     * not in it. The browser reconnects by itself.
     */
    follow(changed) {
      const events = new EventSource(`${this.root}/events?project=${this.project}`);
      events.addEventListener('change', event => {
        if (JSON.parse(event.data).kind === 'environments') changed();
      });
      events.addEventListener('resync', changed);
      events.addEventListener('open', changed);
    }

    /** What a kernel runs on, and the build of that environment that is active. */
    async runsOn(kernel) {
      const workload = await this.read(`/workloads/${kernel}`);
      const mine = workload?.environment;
      if (!mine?.build) return undefined;
      const environment = await this.read(`/environments/${mine.name}`);
      return { mine, active: environment?.active };
    }
  }

  /** Keeps one notebook's notice true. */
  class Notice {
    constructor(panel, api, commands, ToolbarButton) {
      Object.assign(this, { panel, api, commands, ToolbarButton, looks: 0 });
      const session = panel.sessionContext;
      session.kernelChanged.connect(() => this.look());
      session.statusChanged.connect((_, status) => {
        if (status === 'restarting' || status === 'autorestarting') this.restarted = true;
        else if (this.restarted && status === 'idle') {
          this.restarted = false;
          this.look();
        }
      });
      panel.disposed.connect(() => this.show(undefined));
      session.ready.then(() => this.look(), () => undefined);
    }

    /** Looks what the kernel runs on. Answers may overtake each other: what was asked last counts. */
    async look() {
      const look = ++this.looks;
      const kernel = this.panel.sessionContext.session?.kernel?.id;
      const seen = kernel && (await this.api.runsOn(kernel).catch(() => undefined));
      if (this.panel.isDisposed || look !== this.looks) return;
      this.mine = seen?.mine;
      const stale = seen?.active && seen.active.build !== seen.mine.build && seen.active.id !== seen.mine.id;
      this.show(stale ? seen : undefined);
    }

    show(seen) {
      this.button?.dispose();
      this.button = undefined;
      if (!seen || this.panel.isDisposed) return;
      const { mine, active } = seen;
      this.button = new this.ToolbarButton({
        label: `build ${mine.build} in use, ${active.build} active: restart to use`,
        tooltip: `This kernel runs on build ${mine.build} of the environment ${mine.name}. Restart it to use build ${active.build}.`,
        onClick: () => {
          void this.commands.execute('notebook:restart-kernel');
        },
      });
      this.button.addClass('hopyard-environment-notice');
      this.panel.toolbar.insertBefore('spacer', 'hopyard-environment', this.button) ||
        this.panel.toolbar.addItem('hopyard-environment', this.button);
    }

    /** Notes the build in the notebook's metadata, so that it stays there when the kernel is gone. */
    note() {
      const model = this.panel.context.model;
      if (!this.mine || model.readOnly) return;
      if (JSON.stringify(model.getMetadata(METADATA)) !== JSON.stringify(this.mine)) model.setMetadata(METADATA, this.mine);
    }
  }

  async function plugin() {
    const [{ INotebookTracker, NotebookActions }, { ToolbarButton }, { PageConfig }] = await Promise.all([
      lab('@jupyterlab/notebook'),
      lab('@jupyterlab/apputils'),
      lab('@jupyterlab/coreutils'),
    ]);
    return {
      id: `${NAME}:plugin`,
      description: 'Tells which build of its environment a kernel runs on.',
      autoStart: true,
      requires: [INotebookTracker],
      activate(app, notebooks) {
        const api = new Api(PageConfig.getBaseUrl());
        if (!api.known) return; // the page is served by something else
        const notices = new Map();
        const watch = panel => {
          notices.set(panel, new Notice(panel, api, app.commands, ToolbarButton));
          panel.disposed.connect(() => notices.delete(panel));
        };
        notebooks.forEach(watch);
        notebooks.widgetAdded.connect((_, panel) => watch(panel));
        NotebookActions.executed.connect((_, { notebook }) => {
          for (const [panel, notice] of notices) if (panel.content === notebook) notice.note();
        });
        api.follow(() => {
          notices.forEach(notice => void notice.look());
          void app.serviceManager.kernelspecs.refreshSpecs(); // the launcher would ask once a minute
        });
      },
    };
  }

  (window._JUPYTERLAB ??= {})[NAME] = {
    init(scope) {
      shared = scope;
    },
    async get(module) {
      if (module !== './extension') throw new Error(`${NAME}: there is no ${module}`);
      const found = await plugin();
      return () => ({ __esModule: true, default: found });
    },
  };
})();
