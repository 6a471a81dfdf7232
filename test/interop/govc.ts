import type { Lab } from './lab.ts';
import { type Outcome, outcome, type ProgramOptions, run } from './program.ts';
import { pathOf } from './witnesses.ts';

type Address = Pick<Lab, 'url' | 'user' | 'password'>;

/** govc, exactly as released, signed in at one vCenter. The password goes by the environment. */
export class Govc {
  readonly #environment: Record<string, string>;

  constructor(lab: Address, home: string) {
    this.#environment = {
      GOVC_URL: lab.url,
      GOVC_USERNAME: lab.user,
      GOVC_PASSWORD: lab.password,
      GOVC_INSECURE: 'true',
      GOVMOMI_HOME: home,
      HOME: home,
    };
  }

  /** Resolves with stdout; fails unless the exit code is 0. */
  run(...words: string[]): Promise<string> {
    return run(pathOf('govc'), words, this.#options());
  }

  /** As `run`, in a folder. */
  runIn(cwd: string, ...words: string[]): Promise<string> {
    return run(pathOf('govc'), words, { ...this.#options(), cwd });
  }

  outcome(...words: string[]): Promise<Outcome> {
    return outcome(pathOf('govc'), words, this.#options());
  }

  async json<Answer>(...words: [command: string, ...rest: string[]]): Promise<Answer> {
    const [command, ...rest] = words;
    return JSON.parse(await this.run(command, '-json', ...rest)) as Answer;
  }

  async powerState(machine: string): Promise<string | undefined> {
    const info = await this.json<{ virtualMachines: { runtime: { powerState: string } }[] | null }>('vm.info', machine);
    return info.virtualMachines?.[0]?.runtime.powerState;
  }

  #options(): ProgramOptions {
    return { environment: this.#environment, seconds: 120 };
  }
}
