// The end of an operation. Nothing else.
#include "net/mongo/operation.h"

#include "net/mongo/reply_buffers.h"

namespace barewire::net::mongo {

Operation::~Operation() { keep_reply_buffer(reply); }

}  // namespace barewire::net::mongo
