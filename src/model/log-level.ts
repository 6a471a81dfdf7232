export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogLevelState {
  level: LogLevel;
  /** To which it goes back. */
  usual: LogLevel;
  /** When it goes back, ISO 8601; absent: not by itself. */
  until?: string;
}
