import type { Backend, CompletionSink, Port, PortOptions } from '../contract.js';
import { describePlan, FaultDice, type FaultPlan } from './fault-plan.js';
import { FaultyPort } from './faulty-port.js';

/** A backend on which things go wrong as planned. */
export interface FaultyBackend<Options extends PortOptions = PortOptions> extends Backend<Options> {
  readonly plan: FaultPlan;
  /** The plan as one line, with its seed; for the message of a failed test. */
  describe(): string;
}

/**
 * Wraps a backend so that things go wrong: short sends, short reads, late completions, errors. It never breaks a rule of
 * the contract itself, so whatever fails above it would fail on a real mechanism too. Counts and chances are shared by
 * all ports made from it. Memory, leases and descriptors are those of the backend below.
 * Throws `TypeError`/`RangeError` for a malformed plan.
 */
export function withFaults<Options extends PortOptions>(
  backend: Backend<Options>,
  plan: FaultPlan,
): FaultyBackend<Options> {
  const dice = new FaultDice(plan);
  const faulty: FaultyBackend<Options> = {
    name: backend.name,
    supports: backend.supports,
    plan,
    describe: () => describePlan(plan),
    isAvailable: () => backend.isAvailable(),
    unavailabilityReason: () => backend.unavailabilityReason(),
    createPort(sink: CompletionSink, options?: Options): Port {
      return FaultyPort.over(faulty, dice, sink, options, (below) => backend.createPort(below, options));
    },
  };
  return faulty;
}
