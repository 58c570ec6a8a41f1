#include "certificate.h"

namespace bufferevent {

void AppendDer(X509* certificate, std::vector<Octets>* list) {
  Octets der = ToDer(certificate, i2d_X509);
  if (!der.empty()) list->push_back(std::move(der));
}

void AppendDer(const STACK_OF(X509) * certificates, std::vector<Octets>* list) {
  for (int index = 0; index < sk_X509_num(certificates); index++) AppendDer(sk_X509_value(certificates, index), list);
}

}  // namespace bufferevent
