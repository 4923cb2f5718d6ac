/* What the MLPerf Tiny firmware asks of its generated header. */

#ifndef EK_MLPERF_H
#define EK_MLPERF_H

#define EK_MLPERF_VENDOR "fuzz"
#define EK_MLPERF_MODEL "ic01"
#define EK_MLPERF_SCORE_CHARS 5
extern const char ek_mlperf_scores[256][EK_MLPERF_SCORE_CHARS + 1];

#endif
