#ifndef EK_CONFIG_H
#define EK_CONFIG_H

#define EK_BOARD_ID "simulator"
#define EK_FIRMWARE_VERSION "0.0.1"
#define EK_RUNTIME "compiled"
#ifndef EK_FRAME_BUFFERS
#define EK_FRAME_BUFFERS 2
#endif
#ifndef EK_RX_WINDOW
#define EK_RX_WINDOW 4096
#endif
#define EK_TICKS_UNIT 0
#define EK_TICKS_EXACT 1
#ifdef EK_CAMERA /* the model's one row of pixels */
#define EK_FRAME_WIDTH (TEST_INPUT_BYTES / 3u)
#define EK_FRAME_HEIGHT 1u
#define EK_FRAME_ORDER 1
#endif

#endif
