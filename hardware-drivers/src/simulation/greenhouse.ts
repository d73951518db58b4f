/** How a simulated DHT22 misbehaves: not at all, a bad checksum, no answer, the same values for ever. */
export type Dht22Fault = 'none' | 'checksum' | 'missing' | 'stuck';

/** The climate inside, all true values (what a sensor makes of them is another matter). */
export interface GreenhouseState {
  /** Time of day, 0..24 h. */
  readonly hourOfDay: number;
  readonly temperatureCelsius: number;
  readonly humidityPercent: number;
  /** 0 = dry, 1 = soaked. */
  readonly soilMoisture: number;
}

export interface Greenhouse {
  readonly state: GreenhouseState;
  /** Moves the climate on. */
  step(elapsedMs: number, inputs: { readonly pumpOn: boolean }): GreenhouseState;
  /** A true value as a sensor with that noise (standard deviation) sees it. */
  noisy(value: number, deviation: number): number;
}

/** Noon is warmest at 15 h, night coldest at 3 h. */
const climate = {
  meanCelsius: 21,
  swingCelsius: 7,
  warmestHour: 15,
  dryHumidity: 55,
  humidityPerCelsius: -1.6,
};
/** First-order lags, in ms. */
const lag = { temperature: 20 * 60_000, humidity: 8 * 60_000 };
/** A running pump soaks dry soil in about three minutes; sun and plants dry it in a day. */
const soil = { pumpPerMs: 1 / 180_000, dryingPerMs: 1 / 86_400_000, pumpHumidity: 25 };
/** Longest step that the lags bear; longer ones are cut into these. */
const longestStepMs = 30_000;

/**
 * A small greenhouse: day and night move the temperature, humidity goes against it, the pump raises soil moisture
 * and humidity. Pure: the same seed and steps give the same climate.
 */
export function createGreenhouse(options: {
  seed: number;
  hourOfDay?: number;
  soilMoisture?: number;
}): Greenhouse {
  const random = mulberry32(options.seed);
  let state: GreenhouseState = initialState(options.hourOfDay ?? 10, options.soilMoisture ?? 0.3);
  return {
    get state() {
      return state;
    },
    step: (elapsedMs, inputs) => {
      for (let left = elapsedMs; left > 0; left -= longestStepMs)
        state = next(state, Math.min(left, longestStepMs), inputs);
      return state;
    },
    noisy: (value, deviation) => value + deviation * gaussian(random),
  };
}

function initialState(hourOfDay: number, soilMoisture: number): GreenhouseState {
  const temperatureCelsius = outsideTemperature(hourOfDay);
  return {
    hourOfDay,
    temperatureCelsius,
    humidityPercent: restingHumidity(temperatureCelsius, soilMoisture, false),
    soilMoisture,
  };
}

function next(
  state: GreenhouseState,
  elapsedMs: number,
  { pumpOn }: { readonly pumpOn: boolean },
): GreenhouseState {
  const hourOfDay = (state.hourOfDay + elapsedMs / 3_600_000) % 24;
  const temperatureCelsius = approach(
    state.temperatureCelsius,
    outsideTemperature(hourOfDay),
    elapsedMs / lag.temperature,
  );
  const humidityPercent = approach(
    state.humidityPercent,
    restingHumidity(temperatureCelsius, state.soilMoisture, pumpOn),
    elapsedMs / lag.humidity,
  );
  const change =
    (pumpOn ? soil.pumpPerMs * (1 - state.soilMoisture) : 0) - soil.dryingPerMs * state.soilMoisture;
  return {
    hourOfDay,
    temperatureCelsius,
    humidityPercent,
    soilMoisture: clamp(state.soilMoisture + change * elapsedMs, 0, 1),
  };
}

function outsideTemperature(hourOfDay: number): number {
  const phase = ((hourOfDay - climate.warmestHour) / 24) * 2 * Math.PI;
  return climate.meanCelsius + climate.swingCelsius * Math.cos(phase);
}

function restingHumidity(temperatureCelsius: number, soilMoisture: number, pumpOn: boolean): number {
  const byWarmth = climate.humidityPerCelsius * (temperatureCelsius - climate.meanCelsius);
  return clamp(climate.dryHumidity + byWarmth + 15 * soilMoisture + (pumpOn ? soil.pumpHumidity : 0), 5, 99);
}

function approach(value: number, target: number, share: number): number {
  return target + (value - target) * Math.exp(-share);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** Standard normal, Box–Muller. */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Small seeded generator (Tommy Ettinger's mulberry32), uniform in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
