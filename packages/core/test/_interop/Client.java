import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertPathValidator;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Validates the chain in a PKCS#12 file, then shakes hands with it as a client that checks the server's name, and prints what the server says. */
class Client {
    public static void main(String[] args) throws Exception {
        String port = args[0], pkcs12 = args[1], password = args[2], root = args[3];

        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream file = new FileInputStream(pkcs12)) {
            keys.load(file, password.toCharArray());
        }
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream file = new FileInputStream(root)) {
            trusted.setCertificateEntry("root", factory.generateCertificate(file));
        }

        String alias = keys.aliases().nextElement();
        List<Certificate> chain = Arrays.asList(keys.getCertificateChain(alias));
        PKIXParameters parameters = new PKIXParameters(trusted);
        parameters.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(chain), parameters);
        System.out.println(alias + ": valid chain of " + chain.size());

        KeyManagerFactory keyManagers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keyManagers.init(keys, password.toCharArray());
        TrustManagerFactory trustManagers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trustManagers.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keyManagers.getKeyManagers(), trustManagers.getTrustManagers(), null);
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("localhost", Integer.parseInt(port))) {
            SSLParameters checkName = socket.getSSLParameters();
            checkName.setEndpointIdentificationAlgorithm("HTTPS");
            socket.setSSLParameters(checkName);
            System.out.print(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        }
    }
}
