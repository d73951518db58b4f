export { createGreenhouse, type Dht22Fault, type Greenhouse, type GreenhouseState } from './greenhouse.ts';
export {
  type BoardReport,
  boardNowMs,
  type LevelChange,
  type LineReport,
  readLevelLog,
} from './level-log.ts';
export { simulatedHardware } from './simulated-hardware.ts';
export { type BoardCommand, type SpawnBoardOptions, type SpawnedBoard, spawnBoard } from './spawn-board.ts';
export { boardLines, defaultWiring } from './wiring.ts';
