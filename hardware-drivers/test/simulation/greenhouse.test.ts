import { describe, expect, it } from 'vitest';
import { createGreenhouse } from '../../src/simulation/index.ts';

const minute = 60_000;
const hour = 60 * minute;

describe('the greenhouse', () => {
  it('gets wetter soil and air while the pump runs, and dries afterwards', () => {
    const greenhouse = createGreenhouse({ seed: 1 });
    const before = greenhouse.state;
    const watered = greenhouse.step(3 * minute, { pumpOn: true });
    expect(watered.soilMoisture).toBeGreaterThan(before.soilMoisture + 0.3);
    expect(watered.humidityPercent).toBeGreaterThan(before.humidityPercent + 3);
    const later = greenhouse.step(6 * hour, { pumpOn: false });
    expect(later.soilMoisture).toBeLessThan(watered.soilMoisture);
    expect(later.soilMoisture).toBeGreaterThan(0);
  });

  it('is warm in the afternoon and cold at night', () => {
    const greenhouse = createGreenhouse({ seed: 1, hourOfDay: 15 });
    const afternoon = greenhouse.state.temperatureCelsius;
    const night = greenhouse.step(12 * hour, { pumpOn: false });
    expect(night.hourOfDay).toBeCloseTo(3, 5);
    expect(night.temperatureCelsius).toBeLessThan(afternoon - 10);
  });

  it('never leaves what its sensors can measure, in a month of any watering', () => {
    const greenhouse = createGreenhouse({ seed: 1 });
    for (let step = 0; step < 30 * 24; step += 1) {
      const state = greenhouse.step(hour, { pumpOn: step % 5 < 2 });
      expect(state.humidityPercent).toBeGreaterThanOrEqual(0);
      expect(state.humidityPercent).toBeLessThanOrEqual(100);
      expect(state.soilMoisture).toBeLessThanOrEqual(1);
      expect(state.temperatureCelsius).toBeGreaterThan(0);
      expect(state.temperatureCelsius).toBeLessThan(40);
    }
  });

  it('is the same again with the same seed, and its noise has the deviation asked for', () => {
    const draw = (seed: number) => {
      const greenhouse = createGreenhouse({ seed });
      return Array.from({ length: 2_000 }, () => greenhouse.noisy(10, 0.5));
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    const values = draw(7);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(mean).toBeCloseTo(10, 1);
    expect(deviation).toBeCloseTo(0.5, 1);
  });
});
