/* Frames from a file instead of the serial line: for whole data sets on an emulator. */
#ifndef BATCH_H
#define BATCH_H

/* Returns at once unless the emulator was started in a folder with a file of frames (BATCH_FRAMES
 * in batch.c); else runs them all, writes the scores beside them and ends the emulator. */
void batch_run(void);

#endif
