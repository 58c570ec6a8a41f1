// The suite for every kind of bufferevent. The versions have a file each, which run beside each other.
import { tlsCompliance } from './support/vitest-suite.js';

tlsCompliance('TLSv1.2');
