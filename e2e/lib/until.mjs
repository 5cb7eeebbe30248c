import assert from 'node:assert/strict';

// until waits for something that nobody signals.
export async function until(what, ask, within = 120_000) {
  const end = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < end, `never: ${what}`);
    await new Promise(next => setTimeout(next, 50));
  }
}
