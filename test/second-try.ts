import type { Reporter, TestModule } from 'vitest/node';

/** Names what was red at first and green when it was tried again, so that nobody takes such a run for a clean one. */
export class SecondTry implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const flaky = modules.flatMap((module) => [...module.children.allTests()]).filter((one) => one.diagnostic()?.flaky);
    if (flaky.length === 0) return;
    console.error(`\n!! ${flaky.length} of the tests failed first and passed when tried again. Look into them:`);
    for (const test of flaky) {
      console.error(`!! ${test.module.relativeModuleId} > ${test.fullName}`);
      for (const { message } of test.result().errors ?? []) console.error(`     ${message}`);
    }
  }
}
