#include "ek_port.h"
