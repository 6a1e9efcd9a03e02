// A real issuer of tokens for the tests: the npm package oidc-provider, on a port of its own.
// Usage: node issuer.mjs FOLDER_WITH_NODE_MODULES PORT. POST /rotate signs with a new key from then on.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const [folder, port] = process.argv.slice(2);
const { default: Provider } = await import(
  pathToFileURL(createRequire(`${folder}/`).resolve('oidc-provider'))
);
const issuer = `http://127.0.0.1:${port}`;
const audience = 'https://giftcards.example';
const scopes = 'giftcard.money giftcard.read';

function fresh() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

function provider(keys) {
  return new Provider(issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: 'till-7',
        client_secret: 'a-secret-of-the-tests',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: scopes.split(' '),
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope: scopes,
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: () => ({ tenant: 'shop', merchants: ['MERCHANT0000001'] }),
  });
}

let keys = [fresh()];
let serving = provider(keys).callback();
createServer((request, response) => {
  if (request.url === '/rotate') {
    keys = [fresh()];
    serving = provider(keys).callback();
    response.end();
  } else {
    serving(request, response);
  }
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
