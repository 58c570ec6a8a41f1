// One end of a conversation over Java's JSSE. See src/scripted-peer.ts.
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public final class Peer {
  private static final Map<String, String> words = new HashMap<>();
  private static int bytes;
  private static boolean isClient;

  public static void main(String[] arguments) throws Exception {
    for (String word : arguments) {
      String[] parts = word.substring(2).split("=", 2);
      words.put(parts[0], parts[1]);
    }
    bytes = Integer.parseInt(words.get("bytes"));
    isClient = words.get("role").equals("client");
    int connections = Integer.parseInt(words.get("connections"));
    SSLContext context = context();
    if (isClient) {
      for (int count = 0; count < connections; count++) {
        Socket plain = new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(words.get("port")));
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, "localhost", plain.getPort(), true);
        socket.setSSLParameters(parameters());
        converse(socket);
      }
      return;
    }
    SSLServerSocket listener =
        (SSLServerSocket) context.getServerSocketFactory().createServerSocket(0, 50, InetAddress.getLoopbackAddress());
    listener.setSSLParameters(parameters());
    System.out.println("{\"listening\": " + listener.getLocalPort() + "}");
    for (int count = 0; count < connections; count++) converse((SSLSocket) listener.accept());
  }

  private static SSLContext context() throws Exception {
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    try (InputStream file = new FileInputStream(words.get("ca"))) {
      trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    KeyManagerFactory keys = null;
    if (words.containsKey("pkcs12")) {
      char[] password = words.get("password").toCharArray();
      KeyStore own = KeyStore.getInstance("PKCS12");
      try (InputStream file = new FileInputStream(words.get("pkcs12"))) {
        own.load(file, password);
      }
      keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      keys.init(own, password);
    }
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys == null ? null : keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
  }

  private static SSLParameters parameters() {
    SSLParameters parameters = new SSLParameters();
    parameters.setProtocols(new String[] {words.get("version")});
    if (words.containsKey("alpn")) parameters.setApplicationProtocols(new String[] {words.get("alpn")});
    if (isClient) parameters.setEndpointIdentificationAlgorithm("HTTPS");
    else parameters.setNeedClientAuth(words.containsKey("client-certificate"));
    return parameters;
  }

  private static void converse(SSLSocket socket) throws Exception {
    socket.startHandshake();
    OutputStream output = socket.getOutputStream();
    InputStream input = socket.getInputStream();
    CompletableFuture<String> sending = CompletableFuture.supplyAsync(() -> send(output));
    String received = receive(input);
    String sent = sending.get();
    if (isClient) socket.shutdownOutput();
    String end = endOf(input);
    socket.close();
    String protocol = socket.getApplicationProtocol();
    // JSSE does not say whether a session was resumed.
    System.out.println(
        "{\"protocol\":\"" + socket.getSession().getProtocol()
            + "\",\"alpn\":\"" + (protocol == null ? "" : protocol)
            + "\",\"isResumed\":null,\"peerName\":\"" + nameOf(socket)
            + "\",\"sent\":" + sent + ",\"received\":" + received + ",\"end\":\"" + end + "\"}");
  }

  private static String nameOf(SSLSocket socket) {
    try {
      X509Certificate certificate = (X509Certificate) socket.getSession().getPeerCertificates()[0];
      Matcher name = Pattern.compile("CN=([^,]*)").matcher(certificate.getSubjectX500Principal().getName());
      return name.find() ? name.group(1) : "";
    } catch (SSLPeerUnverifiedException none) {
      return "";
    }
  }

  private static String send(OutputStream output) {
    try {
      MessageDigest hash = MessageDigest.getInstance("SHA-256");
      byte[] random = new byte[65536];
      new SecureRandom().nextBytes(random);
      for (int offset = 0; offset < bytes; offset += random.length) {
        byte[] piece = Arrays.copyOf(random, Math.min(random.length, bytes - offset));
        if (piece.length >= 8) ByteBuffer.wrap(piece).putDouble(offset);
        hash.update(piece);
        output.write(piece);
      }
      output.flush();
      return digest(bytes, hash);
    } catch (Exception error) {
      throw new IllegalStateException(error);
    }
  }

  private static String receive(InputStream input) throws Exception {
    MessageDigest hash = MessageDigest.getInstance("SHA-256");
    byte[] chunk = new byte[65536];
    int count = 0;
    while (count < bytes) {
      int length = input.read(chunk, 0, Math.min(chunk.length, bytes - count));
      if (length < 0) throw new IOException("ended after " + count + " bytes");
      hash.update(chunk, 0, length);
      count += length;
    }
    return digest(count, hash);
  }

  private static String digest(int count, MessageDigest hash) {
    return "{\"bytes\":" + count + ",\"sha256\":\"" + HexFormat.of().formatHex(hash.digest()) + "\"}";
  }

  private static String endOf(InputStream input) throws IOException {
    try {
      if (input.read() >= 0) throw new IllegalStateException("more bytes than was agreed upon");
      return "clean";
    } catch (SSLException error) {
      return "truncated";
    }
  }
}
