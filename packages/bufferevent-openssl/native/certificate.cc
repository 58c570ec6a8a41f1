#include "certificate.h"

namespace bufferevent {

void AppendDer(X509* certificate, std::vector<Octets>* list) {
  Octets der = ToDer(certificate, i2d_X509);
  if (!der.empty()) list->push_back(std::move(der));
}

void AppendDer(const STACK_OF(X509) * certificates, std::vector<Octets>* list) {
  for (int index = 0; index < sk_X509_num(certificates); index++) AppendDer(sk_X509_value(certificates, index), list);
}

std::vector<Octets> PeerCertificates(const SSL* ssl) {
  std::vector<Octets> list;
  X509* leaf = SSL_get0_peer_certificate(ssl);
  if (leaf == nullptr) return list;
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  // The chain of a client's peer begins with the leaf, that of a server's peer behind it.
  if (SSL_is_server(ssl) != 0 || chain == nullptr || sk_X509_num(chain) == 0) AppendDer(leaf, &list);
  AppendDer(chain, &list);
  return list;
}

}  // namespace bufferevent
