import type { Handlers } from '../api.ts';
import { type CloudCheckOptions, checkCloud } from '../cloud-check.ts';
import { type DriverList, findDriver } from '../drivers.ts';

export function cloudCheckRoute(drivers: DriverList, options: CloudCheckOptions): Pick<Handlers, 'checkCloud'> {
  return {
    async checkCloud({ body, signal }) {
      const { driver, label, options: values, trust } = body;
      return checkCloud({ driver: findDriver(drivers, driver), label, options: values, trust }, options, signal);
    },
  };
}
