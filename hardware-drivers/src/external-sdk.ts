import { registerHooks } from 'node:module';

const sdkName = '@ares/hardware-drivers';
const sdkUrl = 'ares-sdk:hardware-drivers';
const slot = Symbol.for('ares.hardware-drivers.sdk');

/**
 * Makes `import … from '@ares/hardware-drivers'` in a driver by others yield the SDK of this very agent, wherever
 * the driver lies and whether or not it brought a copy: the agent is one bundled file, so there is no package
 * to be found on the device, and two copies of the SDK would be two versions of its checks.
 *
 * Call it once before the first external driver is loaded, and only then: a hook is asked on every later import.
 *
 * @param sdk the namespace that `import * as sdk from '@ares/hardware-drivers'` gives
 * @returns takes the hook away again
 */
export function supplySdk(sdk: Readonly<Record<string, unknown>>): () => void {
  (globalThis as Record<symbol, unknown>)[slot] = sdk;
  const names = Object.keys(sdk).filter((name) => name !== 'default');
  const source = [
    `const sdk = globalThis[Symbol.for(${JSON.stringify(slot.description)})];`,
    ...names.map((name) => `export const ${name} = sdk[${JSON.stringify(name)}];`),
  ].join('\n');
  const hooks = registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === sdkName
        ? { url: sdkUrl, format: 'module', shortCircuit: true }
        : nextResolve(specifier, context),
    load: (url, context, nextLoad) =>
      url === sdkUrl ? { format: 'module', source, shortCircuit: true } : nextLoad(url, context),
  });
  return () => hooks.deregister();
}
