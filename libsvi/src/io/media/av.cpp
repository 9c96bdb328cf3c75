#include "av.hpp"

#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"

namespace svi::av {

namespace {

thread_local std::string last_line, first_line;

void receive_line(void* source, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_WARNING) return;
  char line[512];
  int prefix = 1;
  av_log_format_line(source, level, format, arguments, line, sizeof line, &prefix);
  std::string text(line);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.empty()) return;
  log(Severity::debug, "ffmpeg", text);
  if (level <= AV_LOG_ERROR) {
    // "[mov @ 0x55...] moov atom not found": the address says nothing to the reader.
    const auto end = text.find("] ");
    last_line = end == std::string::npos ? text : text.substr(end + 2);
    if (first_line.empty()) first_line = last_line;
  }
}

}  // namespace

std::string message(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(code, text, sizeof text);
  return last_line.empty() ? std::string(text) : cat(text, " (", last_line, ")");
}

const std::string& first_complaint() { return first_line; }

void forget_log() {
  last_line.clear();
  first_line.clear();
}

int check(int code, const std::string& file, const char* doing) {
  if (code < 0) raise<IoError>(file, ": ", doing, ": ", message(code));
  return code;
}

void capture_log() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(receive_line); });
}

bool is_cut_short(const AVFormatContext* input, AVStream* stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(58, 77, 100)
  if (input->pb == nullptr) return false;
  const auto size = avio_size(input->pb);
  const int entries = avformat_index_get_entries_count(stream);
  for (int i = 0; size > 0 && i < entries; ++i) {
    const AVIndexEntry* entry = avformat_index_get_entry(stream, i);
    if (entry->pos + entry->size > size) return true;
  }
#else
  (void)input;
  (void)stream;
#endif
  return false;
}

const std::int32_t* display_matrix(AVStream* stream) {
  const std::uint8_t* matrix = nullptr;
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 29, 100)
  const AVPacketSideData* data =
      av_packet_side_data_get(stream->codecpar->coded_side_data,
                              stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  if (data != nullptr && data->size >= 9 * sizeof(std::int32_t)) matrix = data->data;
#else
  std::size_t size = 0;
  matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (size < 9 * sizeof(std::int32_t)) matrix = nullptr;
#endif
  return reinterpret_cast<const std::int32_t*>(matrix);
}

const std::int32_t* display_matrix(const AVFrame* frame) {
  const AVFrameSideData* data = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
  if (data == nullptr || data->size < 9 * sizeof(std::int32_t)) return nullptr;
  return reinterpret_cast<const std::int32_t*>(data->data);
}

std::int64_t duration_of(const AVFrame* frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  return frame->duration;
#else
  return frame->pkt_duration;
#endif
}

}  // namespace svi::av
