import { randomUUID } from 'node:crypto';
import { anyHeaderPin, builtInComponentTypes, checkPins, ProblemError } from '@ares/protocol';
import type { AnswerOf, Contract } from '@ares/protocol/http';

type Device = AnswerOf<Contract['getDevice']>;
type Component = AnswerOf<Contract['listComponents']>['items'][number];
type Command = AnswerOf<Contract['listCommands']>['items'][number];
type ComponentState = AnswerOf<Contract['state']>['components'][number];

export interface WorldRequest {
  readonly params: { readonly id: string; readonly componentId: number };
  readonly query: { readonly limit: number; readonly componentId?: number; readonly from?: string };
  readonly body: unknown;
  readonly authorization: string | undefined;
}
type Handler = (request: WorldRequest) => Promise<{ status: number; body?: unknown }>;

export interface WorldDevice {
  device: Device;
  components: Component[];
  /** What each component reports. */
  reports: Map<number, Pick<ComponentState, 'status' | 'reason' | 'metrics'>>;
  commands: Command[];
}
export type PanelWorld = ReturnType<typeof createPanelWorld>;

export const greenhouseUuid = '3f6f1c1e-5d0b-4b6e-9f5a-2f0d6b1c7a10';
export const cellarUuid = '90aa12bc-77de-4f00-8a11-5b6c7d8e9f00';
export const password = 'a password for tests';
const HOUR_MS = 3_600_000;
/** Middle and swing of the made-up readings. */
const shapes: Readonly<Record<string, readonly [number, number]>> = {
  temperature: [23.4, 2.2],
  humidity: [61, 7],
  moisture: [39, 4],
  load_average: [12, 6],
  load_peak: [46, 14],
  memory_used: [33, 2],
};
/** What the cloud answers to who signs in. */
function sessionOf(person: { email: string; roles: string[] }, accessToken: string) {
  const user = {
    userId: randomUUID(),
    ...person,
    emailVerified: true,
    displayName: null,
    locale: null,
    timeZone: null,
    notifications: { signIn: false, alerts: true },
    createdAt: new Date().toISOString(),
  };
  const refreshToken = randomUUID();
  return {
    accessToken,
    tokenType: 'Bearer',
    expiresInSeconds: 900,
    refreshToken,
    refreshExpiresInSeconds: 86_400,
    user,
  };
}
const owner = { email: 'owner@example.org', roles: [] as string[] };
const administrator = { email: 'admin@example.org', roles: ['prime_admin'] };

/** Two devices, two people, an hour of readings; everything that a test may change is open. */
export function createPanelWorld() {
  const started = Date.now();
  const devices = new Map<string, WorldDevice>();
  const sessions = new Map<string, typeof owner>();
  const refreshTokens = new Map<string, typeof owner>();
  /** How the device takes the next commands. */
  const behaviour: { outcome: Command['status']; detail?: string; code?: string } = { outcome: 'COMPLETED' };
  let nextComponentId = 20;

  const addDevice = (device: Partial<Device> & { deviceUuid: string }, components: Component[]) => {
    devices.set(device.deviceUuid, {
      device: {
        nickname: null,
        lifeCycle: 'ACTIVE',
        presence: 'ONLINE',
        hardwareVersion: 'sim-1',
        hardwareVariant: 'greenhouse',
        cpuSerial: '10000000abcdef12',
        lastSeen: new Date().toISOString(),
        role: 'owner',
        claimedAt: new Date(started - 86_400_000).toISOString(),
        ...device,
      },
      components,
      reports: new Map(),
      commands: [],
    });
  };
  const reading = (value: number, unit: string) => ({ value, unit, measuredAt: new Date().toISOString() });
  addDevice({ deviceUuid: greenhouseUuid, nickname: 'Greenhouse north' }, [
    { componentId: 1, componentType: 'dht22', name: 'Air', pins: { data: 4 }, config: {} },
    { componentId: 2, componentType: 'soil-moisture', pins: {}, config: { channel: 0 } },
    { componentId: 3, componentType: 'cpu', pins: {}, config: {} },
    { componentId: 4, componentType: 'pump', pins: { line: 17 }, config: {} },
    { componentId: 5, componentType: 'led', pins: { line: 27 }, config: {} },
  ]);
  addDevice(
    {
      deviceUuid: cellarUuid,
      presence: 'TIMEOUT',
      cpuSerial: '10000000abcdef99',
      lastSeen: new Date(started - 400_000).toISOString(),
    },
    [{ componentId: 6, componentType: 'dht22', pins: { data: 4 }, config: {} }],
  );
  const reports = devices.get(greenhouseUuid)!.reports;
  reports.set(1, {
    status: 'OK',
    metrics: { temperature: reading(23.44, 'Cel'), humidity: reading(61.2, '%') },
  });
  reports.set(2, {
    status: 'STALE',
    reason: 'No reading for 40 s.',
    metrics: { moisture: { ...reading(38, '%'), measuredAt: new Date(started - 41_000).toISOString() } },
  });
  reports.set(3, {
    status: 'OK',
    metrics: {
      load_average: reading(12.3, '%'),
      load_peak: reading(48, '%'),
      temperature: reading(24.5, 'Cel'),
      memory_used: reading(33.1, '%'),
    },
  });
  reports.set(4, { status: 'OK', metrics: { state: reading(0, '1') } });
  reports.set(5, { status: 'ERROR', reason: 'The line cannot be opened: GPIO 27 is busy.', metrics: {} });

  const mine = ({ params }: WorldRequest): WorldDevice => {
    const found = devices.get(params.id);
    if (found === undefined) throw new ProblemError('NOT_FOUND', `You have no device ${params.id}.`);
    return found;
  };
  const stateOf = (deviceUuid: string) => {
    const { device, components, reports: reported } = devices.get(deviceUuid)!;
    return {
      deviceUuid,
      nickname: device.nickname,
      device_status: device.presence === 'TIMEOUT' ? 'Timeout' : device.presence,
      lastSeen: device.lastSeen,
      components: components.flatMap(({ componentId, componentType, name }) => {
        const report = reported.get(componentId);
        return report === undefined
          ? []
          : [{ componentId, componentType, ...(name !== undefined && { name }), ...report }];
      }),
    };
  };
  /** Ends the newest command of a device. */
  const settle = (deviceUuid: string, end: Partial<Command>) => {
    const { commands } = devices.get(deviceUuid)!;
    commands[0] = { ...commands[0]!, finishedAt: new Date().toISOString(), ...end };
    return commands[0];
  };

  const handlers: Readonly<Record<string, Handler>> = {
    async login({ body }) {
      const { email, password: given } = body as { email: string; password: string };
      const person = [owner, administrator].find((candidate) => candidate.email === email);
      if (person === undefined || given !== password) {
        throw new ProblemError('BAD_CREDENTIALS', 'No account has this e-mail and password.');
      }
      const accessToken = randomUUID();
      sessions.set(accessToken, person);
      const session = sessionOf(person, accessToken);
      refreshTokens.set(session.refreshToken, person);
      return { status: 200, body: session };
    },
    async refresh({ body }) {
      const { refreshToken } = body as { refreshToken: string };
      const person = refreshTokens.get(refreshToken);
      refreshTokens.delete(refreshToken);
      if (person === undefined) throw new ProblemError('TOKEN_INVALID', 'The session has ended.');
      const accessToken = randomUUID();
      sessions.set(accessToken, person);
      const session = sessionOf(person, accessToken);
      refreshTokens.set(session.refreshToken, person);
      return { status: 200, body: session };
    },
    async logout({ body }) {
      refreshTokens.delete((body as { refreshToken: string }).refreshToken);
      return { status: 204 };
    },
    listDevices: async () => ({
      status: 200,
      body: { items: [...devices.values()].map(({ device }) => device), nextCursor: null },
    }),
    state: async (request) => ({ status: 200, body: stateOf(mine(request).device.deviceUuid) }),
    async telemetry(request) {
      const type = mine(request).components.find(
        ({ componentId }) => componentId === request.query.componentId,
      );
      const definition = builtInComponentTypes.find(
        ({ componentType }) => componentType === type?.componentType,
      );
      const from = Math.max(Date.parse(request.query.from ?? ''), started - HOUR_MS);
      const items = [];
      for (let at = Math.ceil(from / 10_000) * 10_000; at <= started - 10_000; at += 10_000) {
        // Ten silent minutes, which the chart must not draw.
        if (at > started - 2_000_000 && at < started - 1_400_000) continue;
        for (const { metric, unit } of definition?.metrics ?? []) {
          const [middle, swing] = shapes[metric] ?? [20, 3];
          items.push({
            componentId: type!.componentId,
            componentType: type!.componentType,
            metric,
            unit,
            value: middle + swing * (Math.sin((at - started) / 600_000) + Math.sin(at / 37_000) / 6),
            measuredAt: new Date(at).toISOString(),
            timeEstimated: false,
            quality: 'good',
          });
        }
      }
      return {
        status: 200,
        body: { resolution: 'raw', items: items.reverse().slice(0, request.query.limit), nextCursor: null },
      };
    },
    async sendCommand(request) {
      const { commands, components, reports: reported } = mine(request);
      const { componentId, action, args } = request.body as { componentId: number } & Pick<
        Command,
        'action' | 'args'
      >;
      const now = Date.now();
      const command: Command = {
        commandId: randomUUID(),
        componentId,
        componentType: components.find((component) => component.componentId === componentId)!.componentType,
        action,
        args,
        status: 'PENDING',
        createdAt: new Date(now).toISOString(),
        expiresAt: new Date(now + 30_000).toISOString(),
        finishedAt: null,
      };
      commands.unshift(command);
      if (behaviour.outcome === 'PENDING') return { status: 202, body: { commandId: command.commandId } };
      const { outcome, detail, code } = behaviour;
      if (outcome !== 'COMPLETED') {
        const why = { ...(detail !== undefined && { detail }), ...(code !== undefined && { code }) };
        return { status: 200, body: settle(request.params.id, { status: outcome, ...why }) };
      }
      const durationMs = args['durationMs'];
      reported.set(componentId, { status: 'OK', metrics: { state: reading(action === 'on' ? 1 : 0, '1') } });
      const lease = typeof durationMs === 'number' && {
        leaseEndsAt: new Date(now + durationMs).toISOString(),
      };
      return {
        status: 200,
        body: settle(request.params.id, { status: 'COMPLETED', verified: true, ...lease }),
      };
    },
    listCommands: async (request) => ({
      status: 200,
      body: { items: mine(request).commands.slice(0, request.query.limit), nextCursor: null },
    }),
    async unlink(request) {
      devices.delete(mine(request).device.deviceUuid);
      return { status: 204 };
    },
    async setNickname(request) {
      const found = mine(request);
      found.device = { ...found.device, nickname: (request.body as { nickname: string | null }).nickname };
      return { status: 200, body: found.device };
    },
    listComponents: async (request) => ({ status: 200, body: { items: mine(request).components } }),
    listComponentTypes: async () => ({
      status: 200,
      body: { items: builtInComponentTypes.map((type) => ({ ...type, builtIn: true })), nextCursor: null },
    }),
    async attachComponent(request) {
      const found = mine(request);
      const component = { componentId: nextComponentId, ...(request.body as Omit<Component, 'componentId'>) };
      const [problem] = checkPins({
        components: [...found.components, component],
        types: builtInComponentTypes,
        rules: anyHeaderPin(builtInComponentTypes),
      });
      if (problem !== undefined) throw new ProblemError(problem.code as 'PIN_CONFLICT', problem.detail);
      nextComponentId++;
      found.components = [...found.components, component];
      return { status: 201, body: component };
    },
    async detachComponent(request) {
      const found = mine(request);
      found.components = found.components.filter(
        ({ componentId }) => componentId !== request.params.componentId,
      );
      return { status: 204 };
    },
    async preregister({ body }) {
      const registration = body as Pick<
        Device,
        'deviceUuid' | 'cpuSerial' | 'hardwareVersion' | 'hardwareVariant'
      >;
      if (devices.has(registration.deviceUuid)) {
        throw new ProblemError(
          'ALREADY_PREREGISTERED',
          `The UUID ${registration.deviceUuid} is registered already.`,
        );
      }
      const { deviceUuid, cpuSerial, hardwareVersion, hardwareVariant } = registration;
      addDevice(
        {
          deviceUuid,
          cpuSerial,
          hardwareVersion,
          hardwareVariant,
          lifeCycle: 'REGISTERED',
          presence: 'OFFLINE',
          lastSeen: null,
          claimedAt: null,
          role: 'admin',
        },
        [],
      );
      return { status: 201, body: { deviceUuid } };
    },
  };

  return {
    devices,
    behaviour,
    handlers,
    stateOf,
    settle,
    /** A component reports anew; the device was seen with it. */
    report(
      deviceUuid: string,
      componentId: number,
      report: Pick<ComponentState, 'status' | 'reason' | 'metrics'>,
    ) {
      const found = devices.get(deviceUuid)!;
      found.reports.set(componentId, report);
      found.device = { ...found.device, lastSeen: new Date().toISOString() };
    },
    reading,
    /** @throws {ProblemError} TOKEN_INVALID */
    admit(authorization: string | undefined) {
      if (!sessions.has(authorization?.replace(/^Bearer /, '') ?? '')) {
        throw new ProblemError('TOKEN_INVALID', 'The access token is not valid (any more).');
      }
    },
    /** As when somebody suspends the account. */
    endSessions() {
      sessions.clear();
      refreshTokens.clear();
    },
    /** As after a quarter of an hour. */
    endAccessTokens: () => sessions.clear(),
  };
}
