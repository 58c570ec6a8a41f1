/* CPU time of a process with all its threads, as the system counts it: user and system apart. */
#ifndef CPU_TIME_H
#define CPU_TIME_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct cpu_time {
	double user_seconds;
	double system_seconds;
};

/* Returns 0, or -1 when there is no such process. */
static inline int cpu_time_of(int process, struct cpu_time *time)
{
	char path[64], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", process);
	FILE *file = fopen(path, "r");
	if (file == NULL) return -1;
	size_t length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = 0;
	/* The second field is a name, which may have spaces and parentheses in it; user and system time are 14th and 15th. */
	char *after_name = strrchr(text, ')');
	unsigned long user, system;
	if (after_name == NULL) return -1;
	if (sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) return -1;
	double ticks = (double)sysconf(_SC_CLK_TCK);
	time->user_seconds = (double)user / ticks;
	time->system_seconds = (double)system / ticks;
	return 0;
}

#endif
