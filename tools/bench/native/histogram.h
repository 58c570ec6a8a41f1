/* Counts of durations in logarithmic buckets: 64 to each power of two, so that a value is known to 1.6 %. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

enum { SUB_BUCKET_BITS = 6, SUB_BUCKETS = 1 << SUB_BUCKET_BITS, BUCKETS = 64 * SUB_BUCKETS };

struct histogram {
	uint64_t counts[BUCKETS];
	uint64_t total;
};

static inline unsigned bucket_of(uint64_t value)
{
	if (value < SUB_BUCKETS) return (unsigned)value;
	unsigned shift = 63 - (unsigned)__builtin_clzll(value) - SUB_BUCKET_BITS;
	return ((shift + 1) << SUB_BUCKET_BITS) + (unsigned)((value >> shift) - SUB_BUCKETS);
}

/* The middle of the values that share it. */
static inline uint64_t value_of(unsigned bucket)
{
	if (bucket < SUB_BUCKETS) return bucket;
	unsigned shift = (bucket >> SUB_BUCKET_BITS) - 1;
	uint64_t least = (uint64_t)(SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) << shift;
	return least + ((UINT64_C(1) << shift) >> 1);
}

static inline void record(struct histogram *histogram, uint64_t value)
{
	histogram->counts[bucket_of(value)]++;
	histogram->total++;
}

/* The least value that so much of all, 0 to 1, does not exceed; 0 when nothing was recorded. */
static inline uint64_t percentile(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)histogram->total), seen = 0;
	for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
		seen += histogram->counts[bucket];
		if (seen > wanted || (seen == histogram->total && seen > 0)) return value_of(bucket);
	}
	return 0;
}

#endif
