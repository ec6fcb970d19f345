import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Path;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.net.SSLHostConfig;
import org.apache.tomcat.util.net.SSLHostConfigCertificate;

/** Embedded Tomcat: certificateVerification "required" and the truststore; "--check-dates" looks at the dates too. */
public final class TomcatBackend {
    public static void main(String[] arguments) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(Path.of("").toAbsolutePath().toString());
        Connector connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
        connector.setPort(Integer.parseInt(System.getenv("MTLS_PORT")));
        connector.setProperty("address", System.getenv("MTLS_HOST"));
        connector.setProperty("SSLEnabled", "true");
        connector.setProperty("maxSwallowSize", "-1");
        connector.setScheme("https");
        connector.setSecure(true);
        connector.addSslHostConfig(tls(arguments.length > 0 && arguments[0].equals("--check-dates")));
        tomcat.setConnector(connector);

        Context context = tomcat.addContext("", null);
        Tomcat.addServlet(context, "hello", new HttpServlet() {
            @Override
            protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
                request.getInputStream().readAllBytes();
                response.setContentType("text/plain");
                response.getWriter().print("hello from Tomcat\n");
            }
        });
        context.addServletMappingDecoded("/", "hello");
        tomcat.start();
        if (!connector.getState().isAvailable()) {
            System.exit(1); // Tomcat logs why, and would go on without its port
        }
        tomcat.getServer().await();
    }

    private static SSLHostConfig tls(boolean checkDates) throws Exception {
        SSLHostConfig host = new SSLHostConfig();
        host.setCertificateVerification("required");
        host.setCertificateVerificationDepth(10);
        host.setProtocols("TLSv1.2+TLSv1.3");
        if (checkDates) {
            host.setTrustManagerClassName(Trust.class.getName());
        } else {
            host.setTrustStore(HttpsBackend.trustStore());
        }
        SSLHostConfigCertificate own = new SSLHostConfigCertificate(host, SSLHostConfigCertificate.Type.UNDEFINED);
        own.setCertificateFile(System.getenv("MTLS_SERVER_CERT"));
        own.setCertificateKeyFile(System.getenv("MTLS_SERVER_KEY"));
        host.addCertificate(own);
        return host;
    }

    /** What "--check-dates" lets Tomcat make. */
    public static final class Trust extends HttpsBackend.CheckingDates {
        public Trust() throws Exception {
            super(HttpsBackend.pkix());
        }
    }
}
