import type { Command } from 'commander';
import { addAccounts } from './accounts.ts';
import { addAlarms } from './alarms.ts';
import { addAudit } from './audit.ts';
import { addChannels } from './channels.ts';
import { addClouds } from './clouds.ts';
import { addCopy } from './copy.ts';
import { addDoctor } from './doctor.ts';
import { addGrants } from './grants.ts';
import { addGroups } from './groups.ts';
import { addJobs } from './jobs.ts';
import { addLimit } from './limits.ts';
import { addLogLevel } from './log-level.ts';
import { addLogin } from './login.ts';
import { addNodes } from './nodes.ts';
import { addObjects } from './objects.ts';
import { addExport } from './offline/export.ts';
import { addImport } from './offline/import.ts';
import { addProvider } from './provider.ts';
import { addRetention } from './retention.ts';
import { addServer } from './server.ts';
import { addTokens } from './tokens.ts';
import { addVerify } from './verify.ts';

/** The commands that talk to a server; those that start one are in `src/main.ts`. */
export function addClientCommands(program: Command): void {
  addLogin(program);
  addLimit(addNodes(program));
  addClouds(program);
  addObjects(program);
  addCopy(program);
  addExport(program);
  addImport(program);
  addJobs(program);
  addGroups(program);
  addDoctor(program);
  addVerify(program);
  addAccounts(program);
  addGrants(program);
  addTokens(program);
  addAudit(program);
  addProvider(program);
  addLogLevel(program);
  addRetention(program);
  addServer(program);
  addAlarms(program);
  addChannels(program);
}
