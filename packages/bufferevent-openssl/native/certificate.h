// Certificates as DER.
#pragma once

#include "openssl.h"

namespace bufferevent {

void AppendDer(X509* certificate, std::vector<Octets>* list);
// `certificates` may be nullptr.
void AppendDer(const STACK_OF(X509) * certificates, std::vector<Octets>* list);

}  // namespace bufferevent
