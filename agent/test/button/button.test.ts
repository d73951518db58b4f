import { describe, expect, it } from 'vitest';
import { type ButtonEvent, createButton } from '../../src/button/button.ts';
import { createFakeClock } from '../support/fake-clock.ts';

function bench(pressed = false) {
  const clock = createFakeClock();
  const events: ButtonEvent[] = [];
  const button = createButton({ clock, pressed, onEvent: (event) => events.push(event) });
  return {
    clock,
    events,
    button,
    press: async (heldMs: number) => {
      button.contact(true);
      await clock.advance(heldMs);
      button.contact(false);
      await clock.advance(50);
    },
  };
}

describe('a button', () => {
  it('is pressed shortly', async () => {
    const { press, events } = bench();
    await press(60);
    await press(1_900);
    expect(events).toEqual(['short', 'short']);
  });

  it('is held for ten seconds, once, however long it stays pressed', async () => {
    const { press, events } = bench();
    await press(60_000);
    expect(events).toEqual(['hold-begun', 'held']);
  });

  it('asks for nothing before the ten seconds are over', async () => {
    const { button, clock, events } = bench();
    button.contact(true);
    await clock.advance(9_990);
    expect(events).toEqual(['hold-begun']);
    await clock.advance(10);
    expect(events).toEqual(['hold-begun', 'held']);
  });

  it('does nothing when a hold is given up', async () => {
    const { press, events } = bench();
    await press(9_900);
    expect(events).toEqual(['hold-begun', 'hold-ended']);
  });

  it('sees one press where contacts bounce', async () => {
    const { button, clock, events } = bench();
    for (const closed of [true, false, true, false, true]) {
      button.contact(closed);
      await clock.advance(5);
    }
    await clock.advance(200);
    for (const closed of [false, true, false]) {
      button.contact(closed);
      await clock.advance(20);
    }
    await clock.advance(50);
    expect(events).toEqual(['short']);
  });

  it('ignores what is shorter than a finger', async () => {
    const { press, events } = bench();
    await press(20);
    expect(events).toEqual([]);
  });

  it('does not let a bounce interrupt a hold', async () => {
    const { button, clock, events } = bench();
    button.contact(true);
    await clock.advance(5_000);
    button.contact(false);
    await clock.advance(10);
    button.contact(true);
    await clock.advance(5_000);
    expect(events).toEqual(['hold-begun', 'held']);
  });

  it('that is stuck from the start neither resets nor opens anything until it was released once', async () => {
    const { button, clock, events, press } = bench(true);
    await clock.advance(120_000);
    button.contact(false);
    await clock.advance(1_000);
    expect(events).toEqual([]);
    await press(100);
    expect(events).toEqual(['short']);
  });

  it('is quiet once it is closed', async () => {
    const { button, clock, events } = bench();
    button.contact(true);
    await clock.advance(3_000);
    button.close();
    await clock.advance(60_000);
    expect(events).toEqual(['hold-begun']);
    expect(clock.timers).toBe(0);
  });
});
