import type { CloudCertificates } from '../cloud-certificates.ts';
import type { Clouds } from '../clouds.ts';
import type { Handlers } from './bind.ts';

type Names = 'getCloudCertificate' | 'trustCloud';

export function cloudCertificateRoutes(clouds: Clouds, certificates: CloudCertificates): Pick<Handlers, Names> {
  return {
    getCloudCertificate: ({ parameters, signal }) => certificates.look(parameters.cloud, signal),
    async trustCloud({ parameters, body, signal }) {
      await certificates.expect(parameters.cloud, body.trust, signal);
      return clouds.trust(parameters.cloud, body.trust);
    },
  };
}
