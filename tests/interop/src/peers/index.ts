import type { Peer } from '../peer.js';
import { curl } from './curl.js';
import { gnutls } from './gnutls.js';
import { nss } from './nss.js';
import { openssl } from './openssl.js';
import { scriptedPeers } from './scripted.js';

export const peers: readonly Peer[] = [openssl, gnutls, nss, ...scriptedPeers, curl];
