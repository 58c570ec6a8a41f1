/*
 * The limit that the other servers are measured against: an epoll loop as one would write it by hand, level-triggered, one
 * read and one write for each message, one buffer for all connections.
 *
 *   epoll-server echo | lines | sink | source BYTES
 *
 * `lines` answers each line with the same line, `sink` answers the end of the input with the count of its bytes, `source`
 * sends so many bytes to whoever connects. Prints where it listens; ends with a signal.
 */
#define _GNU_SOURCE
#include "listening.h"
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, MOST_EVENTS = 1024, MOST_DESCRIPTORS = 65536 };

struct connection {
	char *unsent; /* What the system did not take, while `unsent_length` > 0; reading rests meanwhile. */
	size_t unsent_length;
	char *partial; /* The beginning of a line. */
	size_t partial_length;
	long long count; /* Received by a sink, or left to send of a source. */
};

static struct connection connections[MOST_DESCRIPTORS];
static char received[2 * BUFFER_BYTES];
static char answer[2 * BUFFER_BYTES];
static enum behaviour behaviour;
static long long source_bytes;
static int epoll;

static void watch(int operation, int descriptor, unsigned events)
{
	struct epoll_event event = { .events = events, .data.fd = descriptor };
	if (epoll_ctl(epoll, operation, descriptor, &event) != 0) give_up("epoll_ctl");
}

static void drop(int descriptor)
{
	struct connection *connection = &connections[descriptor];
	free(connection->unsent);
	free(connection->partial);
	memset(connection, 0, sizeof *connection);
	close(descriptor);
}

static void answer_with(int descriptor, const char *bytes, size_t length)
{
	struct connection *connection = &connections[descriptor];
	ssize_t sent = send(descriptor, bytes, length, 0);
	if (sent < 0 && errno != EAGAIN) {
		drop(descriptor);
		return;
	}
	size_t taken = sent < 0 ? 0 : (size_t)sent;
	if (taken == length) return;
	connection->unsent_length = length - taken;
	connection->unsent = malloc(connection->unsent_length);
	if (connection->unsent == NULL) give_up("malloc");
	memcpy(connection->unsent, bytes + taken, connection->unsent_length);
	watch(EPOLL_CTL_MOD, descriptor, EPOLLOUT);
}

static void send_rest(int descriptor)
{
	struct connection *connection = &connections[descriptor];
	ssize_t sent = send(descriptor, connection->unsent, connection->unsent_length, 0);
	if (sent < 0) {
		if (errno != EAGAIN) drop(descriptor);
		return;
	}
	connection->unsent_length -= (size_t)sent;
	memmove(connection->unsent, connection->unsent + sent, connection->unsent_length);
	if (connection->unsent_length > 0) return;
	free(connection->unsent);
	connection->unsent = NULL;
	watch(EPOLL_CTL_MOD, descriptor, EPOLLIN);
}

/* Finds every line, and writes it again: the loop would have handled each on its own in between. */
static void answer_lines(int descriptor, size_t length)
{
	struct connection *connection = &connections[descriptor];
	size_t used = 0, answered = 0;
	for (;;) {
		char *end = memchr(received + used, '\n', length - used);
		if (end == NULL) break;
		size_t text = (size_t)(end - received) - used;
		if (text > 0 && received[used + text - 1] == '\r') text--;
		memcpy(answer + answered, received + used, text);
		memcpy(answer + answered + text, "\r\n", 2);
		answered += text + 2;
		used = (size_t)(end - received) + 1;
	}
	connection->partial_length = length - used;
	if (connection->partial_length > BUFFER_BYTES) {
		drop(descriptor);
		return;
	}
	if (connection->partial_length > 0) {
		connection->partial = realloc(connection->partial, connection->partial_length);
		if (connection->partial == NULL) give_up("realloc");
		memcpy(connection->partial, received + used, connection->partial_length);
	}
	if (answered > 0) answer_with(descriptor, answer, answered);
}

static void end_of_input(int descriptor)
{
	if (behaviour == SINK) {
		char text[32];
		int length = snprintf(text, sizeof text, "%lld", connections[descriptor].count);
		if (send(descriptor, text, (size_t)length, 0) != length) fprintf(stderr, "the count was not sent\n");
	}
	drop(descriptor);
}

static void readable(int descriptor)
{
	struct connection *connection = &connections[descriptor];
	size_t kept = behaviour == LINES ? connection->partial_length : 0;
	if (kept > 0) memcpy(received, connection->partial, kept);
	ssize_t length = recv(descriptor, received + kept, BUFFER_BYTES, 0);
	if (length < 0) {
		if (errno != EAGAIN) drop(descriptor);
	} else if (length == 0) {
		end_of_input(descriptor);
	} else if (behaviour == ECHO) {
		answer_with(descriptor, received, (size_t)length);
	} else if (behaviour == LINES) {
		answer_lines(descriptor, kept + (size_t)length);
	} else {
		connection->count += length;
	}
}

static void send_more(int descriptor)
{
	struct connection *connection = &connections[descriptor];
	while (connection->count > 0) {
		size_t length = connection->count < BUFFER_BYTES ? (size_t)connection->count : BUFFER_BYTES;
		ssize_t sent = send(descriptor, received, length, 0);
		if (sent < 0) {
			if (errno != EAGAIN) drop(descriptor);
			return;
		}
		connection->count -= sent;
	}
	drop(descriptor);
}

static void accept_all(int listener)
{
	for (;;) {
		int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (descriptor < 0) return;
		if (descriptor >= MOST_DESCRIPTORS) give_up("too many connections");
		send_without_delay(descriptor);
		connections[descriptor].count = behaviour == SOURCE ? source_bytes : 0;
		watch(EPOLL_CTL_ADD, descriptor, behaviour == SOURCE ? EPOLLOUT : EPOLLIN);
	}
}

int main(int count, char **words)
{
	behaviour = behaviour_named(count > 1 ? words[1] : NULL);
	source_bytes = count > 2 ? atoll(words[2]) : 0;
	int listener = listen_somewhere();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0) give_up("epoll_create1");
	watch(EPOLL_CTL_ADD, listener, EPOLLIN);
	announce(listener);
	struct epoll_event events[MOST_EVENTS];
	for (;;) {
		int ready = epoll_wait(epoll, events, MOST_EVENTS, -1);
		for (int index = 0; index < ready; index++) {
			int descriptor = events[index].data.fd;
			if (descriptor == listener) accept_all(listener);
			else if (behaviour == SOURCE) send_more(descriptor);
			else if (connections[descriptor].unsent_length > 0) send_rest(descriptor);
			else readable(descriptor);
		}
	}
}
