/* What the firmware uses of the WE2 SDK's header of this name, in our words. */
#ifndef BOARD_H
#define BOARD_H

int board_init(void);

#endif
