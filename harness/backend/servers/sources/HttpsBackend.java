import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.ByteArrayInputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** The JDK's own HTTPS server with a PKIX trust manager and setNeedClientAuth; "--check-dates" looks at the dates too. */
public final class HttpsBackend {
    public static void main(String[] arguments) throws Exception {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(keyStore(), new char[0]);
        boolean checkDates = arguments.length > 0 && arguments[0].equals("--check-dates");
        TrustManager trust = checkDates ? new CheckingDates(pkix()) : pkix();
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), new TrustManager[] {trust}, null);

        HttpsServer server = HttpsServer.create(
                new InetSocketAddress(System.getenv("MTLS_HOST"), Integer.parseInt(System.getenv("MTLS_PORT"))), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context) {
            @Override
            public void configure(HttpsParameters parameters) {
                SSLParameters ours = getSSLContext().getDefaultSSLParameters();
                ours.setNeedClientAuth(true);
                parameters.setSSLParameters(ours);
            }
        });
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> {
            byte[] body = "hello from Java\n".getBytes();
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }

    static X509ExtendedTrustManager pkix() throws Exception {
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(trustStore());
        return (X509ExtendedTrustManager) factory.getTrustManagers()[0];
    }

    static KeyStore keyStore() throws Exception {
        KeyStore store = empty();
        String base64 = Files.readString(Path.of(System.getenv("MTLS_SERVER_KEY"))).replaceAll("-----[A-Z ]+-----", "");
        PKCS8EncodedKeySpec key = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64));
        Certificate[] chain = certificates("MTLS_SERVER_CERT");
        String algorithm = chain[0].getPublicKey().getAlgorithm();
        store.setKeyEntry("server", KeyFactory.getInstance(algorithm).generatePrivate(key), new char[0], chain);
        return store;
    }

    static KeyStore trustStore() throws Exception {
        KeyStore store = empty();
        int number = 0;
        for (Certificate certificate : certificates("MTLS_TRUSTSTORE")) {
            store.setCertificateEntry("gateway" + number++, certificate);
        }
        return store;
    }

    private static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static Certificate[] certificates(String variable) throws Exception {
        byte[] pem = Files.readAllBytes(Path.of(System.getenv(variable)));
        return CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(pem))
                .toArray(new Certificate[0]);
    }

    /** PKIX does not look at the dates of a certificate that is itself in the truststore; this does. */
    static class CheckingDates extends X509ExtendedTrustManager {
        private final X509ExtendedTrustManager pkix;

        CheckingDates(X509ExtendedTrustManager pkix) {
            this.pkix = pkix;
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            chain[0].checkValidity();
            pkix.checkClientTrusted(chain, type, engine);
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            chain[0].checkValidity();
            pkix.checkClientTrusted(chain, type, socket);
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
            chain[0].checkValidity();
            pkix.checkClientTrusted(chain, type);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            pkix.checkServerTrusted(chain, type, engine);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            pkix.checkServerTrusted(chain, type, socket);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
            pkix.checkServerTrusted(chain, type);
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return pkix.getAcceptedIssuers();
        }
    }
}
