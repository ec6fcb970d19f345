import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;

/** An HTTPS server as a team would write it on the JDK alone: a PKIX trust manager, and setNeedClientAuth. */
public final class MtlsServer {
    public static void main(String[] arguments) throws Exception {
        InetSocketAddress address = new InetSocketAddress(
                System.getenv("MTLS_HOST"), Integer.parseInt(System.getenv("MTLS_PORT")));
        System.setProperty("sun.net.httpserver.nodelay", "true"); // else every TLS 1.2 handshake waits for two late ACKs
        HttpsServer server = HttpsServer.create(address, 0);
        server.setHttpsConfigurator(new HttpsConfigurator(tls()) {
            @Override
            public void configure(HttpsParameters parameters) {
                SSLParameters ours = getSSLContext().getDefaultSSLParameters();
                ours.setNeedClientAuth(true);
                parameters.setSSLParameters(ours);
            }
        });
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> {
            byte[] body = "hello from Java\n".getBytes(StandardCharsets.US_ASCII);
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
    }

    private static SSLContext tls() throws GeneralSecurityException, IOException {
        KeyStore own = empty();
        own.setKeyEntry("server", key("MTLS_SERVER_KEY"), new char[0], certificates("MTLS_SERVER_CERT"));
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, new char[0]);

        KeyStore trusted = empty();
        int number = 0;
        for (Certificate certificate : certificates("MTLS_TRUSTSTORE")) {
            trusted.setCertificateEntry("gateway" + number++, certificate);
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);

        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    private static KeyStore empty() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static Certificate[] certificates(String variable) throws GeneralSecurityException, IOException {
        byte[] pem = Files.readAllBytes(Path.of(System.getenv(variable)));
        return CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(pem))
                .toArray(new Certificate[0]);
    }

    private static PrivateKey key(String variable) throws GeneralSecurityException, IOException {
        String pem = Files.readString(Path.of(System.getenv(variable)));
        String base64 = pem.replaceAll("-----[A-Z ]+-----", "");
        PKCS8EncodedKeySpec der = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64));
        return KeyFactory.getInstance("EC").generatePrivate(der);
    }
}
