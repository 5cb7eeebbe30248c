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
    await Promise.all([
      this.connected(),
      this.page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click(),
    ]);
    await this.idle();
  }

  // connected waits for the next kernel that answers. The indicator cannot tell: it says idle before there is any.
  async connected() {
    const socket = await this.page.waitForEvent('websocket', { predicate: w => /\/channels/.test(w.url()) });
    await socket.waitForEvent('framereceived', { predicate: f => f.payload.includes('kernel_info_reply'), timeout: 60_000 });
  }

  async idle(within) {
    await this.state('idle', within);
  }

  async state(status, within = 60_000) {
    await this.notebook.locator(`.jp-Notebook-ExecutionIndicator[data-status="${status}"]`).waitFor({ timeout: within });
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
  async run(code, within = 60_000) {
    const cell = await this.enter(code);
    await this.done(cell, within);
    return cell;
  }

  async done(cell, within = 60_000) {
    const prompt = cell.locator('.jp-InputPrompt');
    await until('the cell is done', async () => /\[\d+\]/.test(await prompt.innerText()), within);
  }

  async text(cell) { return (await cell.locator('.jp-OutputArea-output').allInnerTexts()).join(''); }

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
