import { writeFileSync } from 'node:fs';
import { formatLabel, formatSetupCode } from '@ares/protocol/ble';
import { renderSVG, renderUnicodeCompact } from 'uqr';
import { openLocalIdentity } from '../compose.ts';
import type { AgentConfig } from '../config.ts';
import type { LocalIdentity } from '../identity/identity-store.ts';

/** Light modules around the code, which cameras look for (ISO/IEC 18004 asks for four). */
const BORDER = 4;
/** Labels get dirty. */
const ecc = 'M';

/** Shows what belongs on the label; the code of the picture holds the setup code too. */
export async function label(config: AgentConfig, flags: { json?: boolean; svg?: string }): Promise<void> {
  const local = openLocalIdentity(config);
  const texts = labelTexts(local);
  if (flags.svg !== undefined) {
    writeFileSync(flags.svg, renderSVG(texts.label, { border: BORDER, ecc }), { mode: 0o600 });
    return print(`${flags.svg} is the picture for the label.`);
  }
  if (flags.json === true) return print(JSON.stringify(texts));
  const { deviceUuid } = local.identity;
  print(`${renderUnicodeCompact(texts.label, { border: BORDER, ecc })}

Setup code:  ${texts.setupCode}
QR code:     ${texts.label}
Device:      ${deviceUuid}

Scan it with the app, or type the setup code. Who has it can take the device.`);
}

/** Setup code for people, and the content of the QR code. */
export function labelTexts({ identity, setupCodeHex }: LocalIdentity) {
  const setupCode = Buffer.from(setupCodeHex, 'hex');
  return {
    setupCode: formatSetupCode(setupCode),
    label: formatLabel({ uuid: identity.deviceUuid, setupCode }),
  };
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
