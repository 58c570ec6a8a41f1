/*
 * One evbuffer work of libevent, measured in a process of its own as the JavaScript peers are:
 *
 *   libevent-evbuffer add-drain | reference-drain  BYTES       BYTES: how many are in the buffer all the time
 *   libevent-evbuffer frames CHUNKS                            CHUNKS: how many are in the buffer, by turns copied and not
 *   libevent-evbuffer readln FILE                              FILE: whole lines, a multiple of 64 KiB
 *   libevent-evbuffer search FILE NEEDLE reference | copy      NEEDLE ends FILE and is nowhere else in it
 *
 * Prints {"operations":…,"cpuMicroseconds":…} after its warm-up, and again for each line on its standard input, when it has
 * worked a slice: operations since the warm-up, CPU time of the process since its start.
 */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MESSAGE_BYTES = 64, PIECE_BYTES = 1024, LINES_CHUNK_BYTES = 65536, SEARCH_CHUNK_BYTES = 16384 };

static const double WARM_UP_NS = 100e6;
static const double SLICE_NS = 12.5e6;

struct work {
	struct evbuffer *buffer;
	char *bytes;
	size_t length;
	size_t next; /* of the chunks of `bytes`, the one to add next */
	const char *needle;
	/* Does the operation `times` times. */
	void (*run)(struct work *work, long times);
};

static void fail(const char *reason)
{
	fprintf(stderr, "libevent-evbuffer: %s\n", reason);
	exit(1);
}

static void add_drain(struct work *work, long times)
{
	for (long i = 0; i < times; i++) {
		evbuffer_add(work->buffer, work->bytes, MESSAGE_BYTES);
		evbuffer_drain(work->buffer, MESSAGE_BYTES);
	}
}

static void reference_drain(struct work *work, long times)
{
	for (long i = 0; i < times; i++) {
		evbuffer_add_reference(work->buffer, work->bytes, PIECE_BYTES, NULL, NULL);
		evbuffer_drain(work->buffer, PIECE_BYTES);
	}
}

/* As the works above add, so that the buffer is in the state that they keep up. */
static void queue(struct work *work, long bytes)
{
	for (; bytes >= PIECE_BYTES; bytes -= PIECE_BYTES) {
		if (work->run == reference_drain)
			evbuffer_add_reference(work->buffer, work->bytes, PIECE_BYTES, NULL, NULL);
		else
			evbuffer_add(work->buffer, work->bytes, PIECE_BYTES);
	}
}

static void add_frame(struct work *work)
{
	evbuffer_add(work->buffer, work->bytes, MESSAGE_BYTES);
	evbuffer_add_reference(work->buffer, work->bytes, PIECE_BYTES, NULL, NULL);
}

static void frames(struct work *work, long times)
{
	for (long i = 0; i < times; i++) {
		add_frame(work);
		evbuffer_drain(work->buffer, MESSAGE_BYTES + PIECE_BYTES);
	}
}

static void readln(struct work *work, long times)
{
	while (times > 0) {
		size_t length;
		char *line = evbuffer_readln(work->buffer, &length, EVBUFFER_EOL_CRLF);
		if (line == NULL) {
			evbuffer_add_reference(work->buffer, work->bytes + work->next, LINES_CHUNK_BYTES, NULL, NULL);
			work->next = (work->next + LINES_CHUNK_BYTES) % work->length;
			continue;
		}
		free(line);
		times--;
	}
}

static void search(struct work *work, long times)
{
	size_t needle_bytes = strlen(work->needle);
	for (long i = 0; i < times; i++) {
		struct evbuffer_ptr found = evbuffer_search(work->buffer, work->needle, needle_bytes, NULL);
		if (found.pos != (ssize_t)(work->length - needle_bytes)) fail("the needle is not where it should be");
	}
}

static void read_whole(struct work *work, const char *path, size_t chunk_bytes)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL || fseek(file, 0, SEEK_END) != 0) fail("cannot open the file");
	work->length = (size_t)ftell(file);
	rewind(file);
	if (work->length == 0 || work->length % chunk_bytes != 0) fail("the file is not made of whole chunks");
	work->bytes = malloc(work->length);
	if (work->bytes == NULL || fread(work->bytes, 1, work->length, file) != work->length) fail("cannot read the file");
	fclose(file);
}

static void fill(struct work *work, int copy)
{
	for (size_t at = 0; at < work->length; at += SEARCH_CHUNK_BYTES) {
		int refused = copy
			? evbuffer_add(work->buffer, work->bytes + at, SEARCH_CHUNK_BYTES)
			: evbuffer_add_reference(work->buffer, work->bytes + at, SEARCH_CHUNK_BYTES, NULL, NULL);
		if (refused) fail("cannot fill the buffer");
	}
}

static double cpu_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void tell(long operations)
{
	printf("{\"operations\":%ld,\"cpuMicroseconds\":%.3f}\n", operations, cpu_ns() / 1000);
	fflush(stdout);
}

/* Doubles the slice until it is long enough to be timed, which is the warm-up too; then a slice for each line. */
static void work_slice_by_slice(struct work *work)
{
	long slice = 1, operations = 0;
	double started = cpu_ns(), before, took;
	do {
		before = cpu_ns();
		work->run(work, slice);
		took = cpu_ns() - before;
		if (took < SLICE_NS) slice *= 2;
	} while (cpu_ns() - started < WARM_UP_NS);
	tell(operations);
	for (int next; (next = getchar()) != EOF;) {
		if (next != '\n') continue;
		work->run(work, slice);
		operations += slice;
		tell(operations);
	}
}

int main(int count, char **words)
{
	static char piece[PIECE_BYTES];
	struct work work = { .buffer = evbuffer_new(), .bytes = piece };
	if (work.buffer == NULL) fail("cannot make a buffer");
	if (count == 3 && strcmp(words[1], "add-drain") == 0) {
		work.run = add_drain;
		queue(&work, atol(words[2]));
	} else if (count == 3 && strcmp(words[1], "reference-drain") == 0) {
		work.run = reference_drain;
		queue(&work, atol(words[2]));
	} else if (count == 3 && strcmp(words[1], "frames") == 0) {
		work.run = frames;
		for (long chunks = atol(words[2]); chunks > 0; chunks -= 2) add_frame(&work);
	} else if (count == 3 && strcmp(words[1], "readln") == 0) {
		work.run = readln;
		read_whole(&work, words[2], LINES_CHUNK_BYTES);
	} else if (count == 5 && strcmp(words[1], "search") == 0) {
		work.run = search;
		work.needle = words[3];
		read_whole(&work, words[2], SEARCH_CHUNK_BYTES);
		fill(&work, strcmp(words[4], "copy") == 0);
	} else {
		fail("unknown work");
	}
	work_slice_by_slice(&work);
	return 0;
}
