// What a person does in JupyterLab, said once.
import { until } from './until.mjs';

// Notebook 7.6.5 makes these two mistakes in front of every server, jupyter_server too: settings of its shortcuts are asked for
// before they are read, and a page without a Mermaid renderer is asked for one.
export const sevenFaults = [/Cannot read properties of undefined \(reading 'schema'\)/, /reading 'updateRenderOption'/];

// Lab drives JupyterLab's page, and Notebook 7's, which has the same parts.
export class Lab {
  constructor(page) { this.page = page; }

  static async open(page, jupyter) {
    const lab = new Lab(page);
    await page.goto(jupyter + '/lab');
    await page.locator('.jp-LauncherCard').first().waitFor();
    return lab;
  }

  // The notebook in front.
  get notebook() { return this.page.locator('.jp-NotebookPanel:not(.lm-mod-hidden)'); }
  get cells() { return this.notebook.locator('.jp-Notebook-cell'); }
  get indicator() { return this.notebook.locator('.jp-Notebook-ExecutionIndicator'); }

  async newNotebook() {
    await this.connected(() => this.page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click());
    await this.idle();
  }

  // connected waits until a kernel answers on a websocket that is opened from now on, by what is done or because of it; where nothing
  // is done, on any that the page has opened. The indicator cannot tell: it says idle before there is any.
  async connected(act) {
    const before = act ? this.page.kernels.length : 0;
    await act?.();
    await until('a kernel answers', () => this.page.kernels.slice(before).some(kernel => kernel.answered));
  }

  async idle() {
    await this.notebook.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor();
  }

  // enter writes code into the last cell, which is empty, and runs it. It gives the cell.
  async enter(code) {
    const at = await this.cells.count() - 1;
    const cell = this.cells.nth(at);
    await cell.locator('.cm-content').click();
    await this.page.keyboard.insertText(code);
    await this.page.keyboard.press('Shift+Enter');
    await this.cells.nth(at + 1).waitFor();
    return this.cells.nth(at);
  }

  // run enters code and waits until its cell has a number.
  async run(code) {
    const cell = await this.enter(code);
    await this.done(cell);
    return cell;
  }

  async done(cell) {
    const prompt = cell.locator('.jp-InputPrompt');
    await until('the cell is done', async () => /\[\d+\]/.test(await prompt.innerText()));
  }

  async text(cell) { return (await cell.locator('.jp-OutputArea-output').allInnerTexts()).join(''); }

  // says waits until the cell shows a text, the whole of it, and gives it. The page draws when it has time to: a cell may be done
  // before all that it has said can be read.
  async says(cell, wanted) {
    let text;
    const fits = () => wanted instanceof RegExp ? wanted.test(text) : text === wanted;
    try {
      await until('the cell says it', async () => { text = await this.text(cell); return fits(); });
    } catch (e) {
      throw new Error(`the cell says ${JSON.stringify(text)}, want ${wanted instanceof RegExp ? wanted : JSON.stringify(wanted)}`, { cause: e });
    }
    return text;
  }

  // What the toolbar says of the kernel's build.
  get notice() { return this.notebook.locator('.hopyard-environment-notice'); }

  tool(command) { return this.notebook.locator(`.jp-Toolbar [data-command="${command}"]`); }

  // menu walks through the menu bar: menu('File', 'New', 'Terminal').
  async menu(first, ...rest) {
    const exactly = label => new RegExp(`^${label}$`);
    await this.page.locator('.lm-MenuBar-itemLabel', { hasText: exactly(first) }).click();
    for (const label of rest) {
      const name = this.page.locator('.lm-Menu-itemLabel', { hasText: exactly(label) });
      await this.page.locator('.lm-Menu-item', { has: name }).click();
    }
  }

  async accept() { await this.page.locator('.jp-Dialog .jp-mod-accept').click(); }

  file(name) { return this.page.locator('.jp-DirListing-item', { has: this.page.locator('.jp-DirListing-itemText', { hasText: name }) }); }
}
