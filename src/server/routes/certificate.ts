import type { UiCertificate } from '../certificate/ui.ts';
import type { Handlers } from './bind.ts';

type Names = 'getCertificate' | 'requestCertificate' | 'uploadCertificate';

export function certificateRoutes(certificate: UiCertificate): Pick<Handlers, Names> {
  return {
    getCertificate: () => certificate.view(),
    requestCertificate: async ({ body }) => ({ request: await certificate.request(body.names, body.keyType) }),
    uploadCertificate: ({ body, host }) =>
      certificate.upload(body, new URL(`https://${host}`).hostname.replace(/^\[|\]$/g, '')),
  };
}
