/*
 * The client of the bench of connections: one thread, one epoll.
 *
 *   loadgen PORT SERVER_PROCESS exchange|lines CONNECTIONS BYTES DEPTH WARM_UP_SECONDS SECONDS
 *   loadgen PORT SERVER_PROCESS upload|download BYTES
 *   loadgen PORT SERVER_PROCESS hold
 *
 * `exchange`: each connection keeps DEPTH messages of BYTES under way; whatever came back whole is sent anew. Until the
 * measured seconds begin, every byte that comes back is compared with what was sent. `lines`: the same, of text that ends
 * with CR LF. `upload` expects the count of the bytes as the answer. These print one line of JSON:
 *
 *   {"seconds", "messages", "bytes" (one way), "latencyNs": {"p50", "p99", "p999"},
 *    "loadCpuSeconds", "serverUserSeconds", "serverSystemSeconds"}
 *
 * `hold` reads numbers, opens so many more connections, and says {"held"} of them all; it lets go with the end of its input.
 */
#define _GNU_SOURCE
#include "cpu-time.h"
#include "histogram.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { BUFFER_BYTES = 256 * 1024, MOST_EVENTS = 1024, WAVE = 64, PATIENCE_MS = 10000 };

/* Enough of different messages that one that is lost, doubled or out of order is seen. */
enum { PERIOD_BYTES = 64 * 1024, LEAST_PERIOD_MESSAGES = 3 };

struct connection {
	int descriptor;
	bool blocked;
	/* Positions in the streams; `due` is where sending stops for now. */
	uint64_t sent, due, received;
	/* By message, modulo the depth: when it was due. */
	uint64_t *started;
	size_t rotation;
};

struct snapshot {
	uint64_t now;
	struct cpu_time own, server;
};

static int port, server;
static int epoll;
static struct connection *connections;
static size_t message_bytes, depth;
/* What connections send, again and again from `rotation` on; longer than the period by all that may be sent at once. */
static char *pattern;
static size_t period;
static char buffer[BUFFER_BYTES];
static bool verifying, replacing, measuring;
static uint64_t under_way, messages;
static struct histogram latencies;

static void fail(const char *reason)
{
	fprintf(stderr, "loadgen: %s\n", reason);
	exit(1);
}

static void fail_with_errno(const char *call)
{
	fprintf(stderr, "loadgen: %s: %s\n", call, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct snapshot look(void)
{
	struct snapshot snapshot = { .now = now_ns() };
	if (cpu_time_of(server, &snapshot.server) != 0) fail("the server is gone");
	if (cpu_time_of(getpid(), &snapshot.own) != 0) fail("no CPU time of its own");
	return snapshot;
}

static void print_result(const struct snapshot *from, const struct snapshot *to, uint64_t done, uint64_t bytes)
{
	double user = to->server.user_seconds - from->server.user_seconds;
	double system = to->server.system_seconds - from->server.system_seconds;
	double own = to->own.user_seconds + to->own.system_seconds - from->own.user_seconds - from->own.system_seconds;
	printf("{\"seconds\":%.6f,\"messages\":%llu,\"bytes\":%llu,", (double)(to->now - from->now) / 1e9,
		(unsigned long long)done, (unsigned long long)bytes);
	printf("\"latencyNs\":{\"p50\":%llu,\"p99\":%llu,\"p999\":%llu},", (unsigned long long)percentile(&latencies, 0.5),
		(unsigned long long)percentile(&latencies, 0.99), (unsigned long long)percentile(&latencies, 0.999));
	printf("\"loadCpuSeconds\":%.2f,\"serverUserSeconds\":%.2f,\"serverSystemSeconds\":%.2f}\n", own, user, system);
}

static int dial(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)
	};
	int on = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0) fail_with_errno("socket");
	if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) fail_with_errno("connect");
	setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return descriptor;
}

/* One that fails rather than waits for ever. */
static int dial_patiently(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int descriptor = dial();
	setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	return descriptor;
}

static void make_pattern(bool text)
{
	size_t count = PERIOD_BYTES / message_bytes | 1;
	if (count < LEAST_PERIOD_MESSAGES) count = LEAST_PERIOD_MESSAGES;
	period = count * message_bytes;
	size_t length = period + depth * message_bytes + BUFFER_BYTES;
	pattern = malloc(length);
	if (pattern == NULL) fail_with_errno("malloc");
	uint64_t state = 88172645463325252u;
	for (size_t at = 0; at < period; at++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		pattern[at] = (char)(text ? 'a' + state % 26 : state);
	}
	for (size_t end = message_bytes; text && end <= period; end += message_bytes) memcpy(pattern + end - 2, "\r\n", 2);
	for (size_t at = period; at < length; at++) pattern[at] = pattern[at - period];
}

static void watch(struct connection *connection, int operation, unsigned events)
{
	struct epoll_event event = { .events = events, .data.ptr = connection };
	if (epoll_ctl(epoll, operation, connection->descriptor, &event) != 0) fail_with_errno("epoll_ctl");
}

static void flush(struct connection *connection)
{
	while (connection->sent < connection->due) {
		const char *bytes = pattern + (connection->rotation + connection->sent) % period;
		ssize_t sent = send(connection->descriptor, bytes, connection->due - connection->sent, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN) fail_with_errno("send");
		if (sent < 0) {
			if (!connection->blocked) watch(connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			connection->blocked = true;
			return;
		}
		connection->sent += (uint64_t)sent;
	}
	if (connection->blocked) watch(connection, EPOLL_CTL_MOD, EPOLLIN);
	connection->blocked = false;
}

static void start_messages(struct connection *connection, uint64_t count, uint64_t now)
{
	for (uint64_t index = 0; index < count; index++)
		connection->started[(connection->due / message_bytes + index) % depth] = now;
	connection->due += count * message_bytes;
	under_way += count;
	flush(connection);
}

static void receive(struct connection *connection)
{
	ssize_t length = recv(connection->descriptor, buffer, BUFFER_BYTES, 0);
	if (length < 0 && errno == EAGAIN) return;
	if (length < 0) fail_with_errno("recv");
	if (length == 0) fail("the server closed a connection");
	if (verifying) {
		const char *expected = pattern + (connection->rotation + connection->received) % period;
		if (memcmp(buffer, expected, (size_t)length) != 0) fail("the server sent back other bytes");
	}
	uint64_t first = connection->received / message_bytes;
	connection->received += (uint64_t)length;
	if (connection->received > connection->sent) fail("the server sent back more than it was sent");
	uint64_t count = connection->received / message_bytes - first;
	if (count == 0) return;
	uint64_t now = now_ns();
	if (measuring) {
		for (uint64_t index = 0; index < count; index++)
			record(&latencies, now - connection->started[(first + index) % depth]);
	}
	messages += count;
	under_way -= count;
	if (replacing) start_messages(connection, count, now);
}

static void turn(void)
{
	struct epoll_event events[MOST_EVENTS];
	int ready = epoll_wait(epoll, events, MOST_EVENTS, PATIENCE_MS);
	if (ready == 0) fail("the server has been silent for too long");
	for (int index = 0; index < ready; index++) {
		struct connection *connection = events[index].data.ptr;
		if (events[index].events & EPOLLOUT) flush(connection);
		if (events[index].events & ~(unsigned)EPOLLOUT) receive(connection);
	}
}

static void settle(void)
{
	while (under_way > 0) turn();
}

/* In waves that the backlog of any server can hold; each connection proves that it was accepted by an answer. */
static void open_connections(size_t count)
{
	connections = calloc(count, sizeof *connections);
	uint64_t *started = calloc(count * depth, sizeof *started);
	if (connections == NULL || started == NULL) fail_with_errno("calloc");
	for (size_t index = 0; index < count; index++) {
		struct connection *connection = &connections[index];
		connection->descriptor = dial();
		connection->started = started + index * depth;
		connection->rotation = index * message_bytes % period;
		fcntl(connection->descriptor, F_SETFL, O_NONBLOCK);
		watch(connection, EPOLL_CTL_ADD, EPOLLIN);
		start_messages(connection, 1, 0);
		if (index % WAVE == WAVE - 1) settle();
	}
	settle();
}

static void run_until(uint64_t end)
{
	while (now_ns() < end) turn();
}

static void exchange(size_t count, double warm_up_seconds, double seconds)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0) fail_with_errno("epoll_create1");
	verifying = true;
	open_connections(count);
	replacing = true;
	for (size_t index = 0; index < count; index++) start_messages(&connections[index], depth, now_ns());
	run_until(now_ns() + (uint64_t)(warm_up_seconds * 1e9));

	verifying = false;
	measuring = true;
	uint64_t before = messages;
	struct snapshot from = look();
	run_until(from.now + (uint64_t)(seconds * 1e9));
	struct snapshot to = look();
	uint64_t done = messages - before;
	measuring = false;

	verifying = true;
	replacing = false;
	settle();
	print_result(&from, &to, done, done * message_bytes);
}

static void upload(uint64_t bytes)
{
	int descriptor = dial_patiently();
	struct snapshot from = look();
	for (uint64_t left = bytes; left > 0;) {
		ssize_t sent = send(descriptor, buffer, left < BUFFER_BYTES ? left : BUFFER_BYTES, MSG_NOSIGNAL);
		if (sent < 0) fail_with_errno("send");
		left -= (uint64_t)sent;
	}
	shutdown(descriptor, SHUT_WR);
	char answer[64];
	size_t length = 0;
	for (;;) {
		ssize_t received = recv(descriptor, answer + length, sizeof answer - 1 - length, 0);
		if (received < 0) fail_with_errno("recv");
		if (received == 0) break;
		length += (size_t)received;
	}
	answer[length] = 0;
	struct snapshot to = look();
	if (strtoull(answer, NULL, 10) != bytes) fail("the server counted other bytes");
	print_result(&from, &to, 0, bytes);
}

static void download(uint64_t bytes)
{
	struct snapshot from = look();
	int descriptor = dial_patiently();
	uint64_t total = 0;
	for (;;) {
		ssize_t received = recv(descriptor, buffer, BUFFER_BYTES, 0);
		if (received < 0) fail_with_errno("recv");
		if (received == 0) break;
		total += (uint64_t)received;
	}
	struct snapshot to = look();
	if (total != bytes) fail("the server sent another number of bytes");
	print_result(&from, &to, 0, bytes);
}

static void hold(void)
{
	unsigned long more, held = 0;
	while (scanf("%lu", &more) == 1) {
		for (unsigned long index = 0; index < more; index++) dial();
		held += more;
		printf("{\"held\":%lu}\n", held);
		fflush(stdout);
	}
}

int main(int count, char **words)
{
	if (count < 4) fail("PORT, SERVER_PROCESS and what to do are wanted");
	port = atoi(words[1]);
	server = atoi(words[2]);
	const char *what = words[3];
	bool text = strcmp(what, "lines") == 0;
	if (count == 9 && (text || strcmp(what, "exchange") == 0)) {
		message_bytes = strtoul(words[5], NULL, 10);
		depth = strtoul(words[6], NULL, 10);
		if (message_bytes == 0 || depth == 0) fail("bytes and depth are numbers above 0");
		make_pattern(text);
		exchange(strtoul(words[4], NULL, 10), atof(words[7]), atof(words[8]));
	} else if (count == 5 && strcmp(what, "upload") == 0) {
		upload(strtoull(words[4], NULL, 10));
	} else if (count == 5 && strcmp(what, "download") == 0) {
		download(strtoull(words[4], NULL, 10));
	} else if (count == 4 && strcmp(what, "hold") == 0) {
		hold();
	} else {
		fail("unknown work");
	}
	return 0;
}
