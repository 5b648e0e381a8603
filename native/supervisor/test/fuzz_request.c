/* Whatever arrives, the decoders read inside of it and agree with themselves. */
#include <stdlib.h>

#include "plan/kept_plan.h"
#include "wire/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct request r;
    struct plan_facts facts;
    struct error err;
    struct wire_bytes bytes = {data, (uint32_t)size}, kept;
    char id[CONTAINER_ID_MAX + 1];
    if (!request_decode(data, size, &r)) {
        struct wire_reader reader;
        struct wire_bytes value;
        for (unsigned field = 1; field < REQUEST_FIELDS; field++) {
            wire_reader_init(&reader, r.payload.data, r.payload.len);
            while (request_each(&reader, field, &value))
                if (value.data < data || value.data + value.len > data + size) abort();
        }
        if (r.field[1].data) (void)request_container_id(&r, id);
    }
    if (plan_facts_read(&bytes, &facts, &err) == 0 && kept_plan_live(&bytes, &kept) == 0) {
        if (kept.len > size) abort();
        kept_plan_release(&kept);
    }
    return 0;
}
