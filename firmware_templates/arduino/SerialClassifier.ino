// Classifies the frames that edgekit sends over the serial port:
//   edgekit monitor --board arduino --port PORT --model MODEL --source IMAGES
// Nothing else may be printed on Serial.

void setup() {
    Serial.begin(115200);
    ek_app_init();
}

void loop() {
    ek_app_poll();
}
