/* A stand-in for libnvidia-ml.so.1: two devices, the first offers all we read, the second almost nothing.
   The names are NVML's own; what is not defined here is "function not found" to the caller. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define INSUFFICIENT_SIZE 7
#define DRIVER_NOT_LOADED 9

typedef struct { int index; } device;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process;

static device devices[2] = {{0}, {1}};
static unsigned long long energy_mj = 5000000000ULL;
static int opened = 0;

static int rich(device *d) { return d->index == 0; }
static const unsigned long long MIB = 1024ULL * 1024ULL;

int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  if (getenv("NVML_STUB_NO_DRIVER")) return DRIVER_NOT_LOADED;
  opened++;
  return SUCCESS;
}
int nvmlShutdown(void) { opened--; return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "stub error"; }
int nvmlStubOpened(void) { return opened; }

int nvmlDeviceGetCount_v2(unsigned *count) {
  *count = getenv("NVML_STUB_NO_DEVICE") ? 0 : 2;
  return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **out) {
  if (index > 1) return INVALID_ARGUMENT;
  *out = &devices[index];
  return SUCCESS;
}
int nvmlDeviceGetName(device *d, char *out, unsigned size) {
  strncpy(out, rich(d) ? "Stub H100" : "Stub T4", size);
  return SUCCESS;
}
int nvmlDeviceGetUUID(device *d, char *out, unsigned size) {
  strncpy(out, rich(d) ? "GPU-aaaa" : "GPU-bbbb", size);
  return SUCCESS;
}
int nvmlSystemGetDriverVersion(char *out, unsigned size) { strncpy(out, "575.51.03", size); return SUCCESS; }
int nvmlSystemGetCudaDriverVersion(int *out) { *out = 12090; return SUCCESS; }

int nvmlDeviceGetMemoryInfo_v2(device *d, memory_v2 *m) {
  if (!rich(d)) return NOT_SUPPORTED;
  if (m->version != 0x02000028) return INVALID_ARGUMENT;
  m->total = 81559 * MIB; m->reserved = 551 * MIB; m->used = 20000 * MIB;
  m->free = m->total - m->reserved - m->used;
  return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(device *d, memory_v1 *m) {
  (void)d;
  m->total = 15360 * MIB; m->used = 1000 * MIB; m->free = m->total - m->used;
  return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(device *d, utilization *u) {
  if (!rich(d)) return NOT_SUPPORTED;
  u->gpu = 97; u->memory = 41;
  return SUCCESS;
}
int nvmlDeviceGetPowerUsage(device *d, unsigned *mw) {
  if (!rich(d)) return NOT_SUPPORTED;
  *mw = 652345;
  return SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(device *d, unsigned long long *mj) {
  if (!rich(d)) return NOT_SUPPORTED;
  *mj = (energy_mj += 65234);
  return SUCCESS;
}
int nvmlDeviceGetTemperature(device *d, int sensor, unsigned *celsius) {
  if (!rich(d) || sensor != 0) return NOT_SUPPORTED;
  *celsius = 64;
  return SUCCESS;
}
int nvmlDeviceGetClockInfo(device *d, int kind, unsigned *mhz) {
  if (!rich(d)) return NOT_SUPPORTED;
  *mhz = kind == 1 ? 1785 : kind == 2 ? 2619 : 0;
  return SUCCESS;
}
/* Only the older of the two names, as drivers before 535 have it. */
int nvmlDeviceGetCurrentClocksThrottleReasons(device *d, unsigned long long *bits) {
  if (!rich(d)) return NOT_SUPPORTED;
  *bits = 0x4 | 0x40;
  return SUCCESS;
}
#ifdef WITH_PROCESSES
int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *count, process *out) {
  if (!rich(d)) { *count = 0; return SUCCESS; }
  if (out == NULL || *count < 2) { *count = 2; return INSUFFICIENT_SIZE; }
  out[0].pid = 4242; out[0].used = 18000 * MIB;
  out[1].pid = 4343; out[1].used = 500 * MIB;
  *count = 2;
  return SUCCESS;
}
#endif
