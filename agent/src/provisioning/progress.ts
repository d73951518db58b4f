import type { ProvisioningStep, StepErrorCode, StepReport } from '@ares/protocol/ble';

const MAX_DETAIL = 300;

/** How the latest transaction goes, as `status` tells it. */
export interface Progress {
  begin(steps: readonly ProvisioningStep[]): void;
  running(step: ProvisioningStep): void;
  ok(step: ProvisioningStep): void;
  failed(step: ProvisioningStep, code: StepErrorCode, detail: string): void;
  reports(): StepReport[];
}

export function createProgress(): Progress {
  let steps: StepReport[] = [];
  const set = (report: StepReport) => {
    steps = steps.map((present) => (present.step === report.step ? report : present));
  };
  return {
    begin(names) {
      steps = names.map((step) => ({ step, result: 'pending' }));
    },
    running: (step) => set({ step, result: 'running' }),
    ok: (step) => set({ step, result: 'ok' }),
    failed: (step, code, detail) =>
      set({ step, result: 'failed', code, detail: detail.slice(0, MAX_DETAIL) }),
    reports: () => [...steps],
  };
}
