// Compares fingerprints, with the dates, in the application; SIGHUP reads the truststore again.
const { X509Certificate } = require('crypto');
const fs = require('fs');
const https = require('https');
const env = process.env;

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const read = () => {
  const blocks = fs.readFileSync(env.MTLS_TRUSTSTORE, 'latin1').match(BLOCK);
  if (!blocks) throw new Error('no certificate in the truststore');
  return new Set(blocks.map((pem) => new X509Certificate(pem).fingerprint256));
};

let pinned = read();

// Not request.socket.authorized: Node says true of a client without certificate that resumes a TLS 1.3 session.
const mayEnter = ({ fingerprint256, valid_from: from, valid_to: to }) =>
  pinned.has(fingerprint256) && Date.parse(from) <= Date.now() && Date.now() <= Date.parse(to);

const server = https.createServer({
  key: fs.readFileSync(env.MTLS_SERVER_KEY),
  cert: fs.readFileSync(env.MTLS_SERVER_CERT),
  requestCert: true,
  rejectUnauthorized: false, // mayEnter judges instead
}, (request, response) => {
  response.writeHead(mayEnter(request.socket.getPeerCertificate() || {}) ? 200 : 403);
  response.end('hello world\n');
});

process.on('SIGHUP', () => {
  try {
    pinned = read();
  } catch (error) {
    console.error(`reload: ${error.message}; the last good truststore stays in force`);
  }
});
server.listen(Number(env.MTLS_PORT), env.MTLS_HOST);
