// One end of a conversation over Go's crypto/tls. See src/scripted-peer.ts.
package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
)

type digest struct {
	Bytes  int    `json:"bytes"`
	Sha256 string `json:"sha256"`
}

type report struct {
	Protocol  string  `json:"protocol"`
	Alpn      string  `json:"alpn"`
	IsResumed bool    `json:"isResumed"`
	PeerName  string  `json:"peerName"`
	Sent      digest  `json:"sent"`
	Received  digest  `json:"received"`
	End       *string `json:"end"`
}

var (
	role        = flag.String("role", "", "")
	port        = flag.Int("port", 0, "")
	version     = flag.String("version", "", "")
	bytes       = flag.Int("bytes", 0, "")
	connections = flag.Int("connections", 1, "")
	ca          = flag.String("ca", "", "")
	alpn        = flag.String("alpn", "", "")
	certificate = flag.String("certificate", "", "")
	key         = flag.String("key", "", "")
	_           = flag.String("pkcs12", "", "")
	_           = flag.String("password", "", "")
	mutual      = flag.String("client-certificate", "", "")
)

var versions = map[string]uint16{"TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func send(conn io.Writer) digest {
	hash := sha256.New()
	random := make([]byte, 65536)
	_, err := rand.Read(random)
	check(err)
	for offset := 0; offset < *bytes; offset += len(random) {
		piece := random
		if *bytes-offset < len(piece) {
			piece = piece[:*bytes-offset]
		}
		if len(piece) >= 8 {
			binary.LittleEndian.PutUint64(piece, math.Float64bits(float64(offset)))
		}
		hash.Write(piece)
		_, err := conn.Write(piece)
		check(err)
	}
	return digest{*bytes, hex.EncodeToString(hash.Sum(nil))}
}

func receive(conn io.Reader) digest {
	hash := sha256.New()
	count, err := io.CopyN(hash, conn, int64(*bytes))
	check(err)
	return digest{int(count), hex.EncodeToString(hash.Sum(nil))}
}

// Any end behind a whole record is io.EOF, be it said or not.
func expectEnd(conn io.Reader) {
	count, err := conn.Read(make([]byte, 1))
	if count > 0 {
		check(errors.New("more bytes than was agreed upon"))
	}
	if err != io.EOF {
		check(err)
	}
}

func converse(conn *tls.Conn) {
	check(conn.Handshake())
	state := conn.ConnectionState()
	var report report
	for name, number := range versions {
		if number == state.Version {
			report.Protocol = name
		}
	}
	report.Alpn = state.NegotiatedProtocol
	report.IsResumed = state.DidResume
	if len(state.PeerCertificates) > 0 {
		report.PeerName = state.PeerCertificates[0].Subject.CommonName
	}
	sent := make(chan digest)
	go func() { sent <- send(conn) }()
	report.Received = receive(conn)
	report.Sent = <-sent
	if *role == "client" {
		check(conn.CloseWrite())
	}
	expectEnd(conn)
	check(conn.Close())
	line, err := json.Marshal(report)
	check(err)
	fmt.Println(string(line))
}

func main() {
	flag.Parse()
	pem, err := os.ReadFile(*ca)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{
		MinVersion:         versions[*version],
		MaxVersion:         versions[*version],
		RootCAs:            pool,
		ClientCAs:          pool,
		ServerName:         "localhost",
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}
	if *alpn != "" {
		config.NextProtos = []string{*alpn}
	}
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *key)
		check(err)
		config.Certificates = []tls.Certificate{pair}
	}
	if *mutual != "" {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if *role == "client" {
		for count := 0; count < *connections; count++ {
			conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", *port), config)
			check(err)
			converse(conn)
		}
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("{\"listening\": %d}\n", listener.Addr().(*net.TCPAddr).Port)
	for count := 0; count < *connections; count++ {
		conn, err := listener.Accept()
		check(err)
		converse(tls.Server(conn, config))
	}
}
