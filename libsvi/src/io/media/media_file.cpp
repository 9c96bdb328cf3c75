#include "media_file.hpp"

#include <filesystem>

#include "io/mapping.hpp"
#include "svi/core/check.hpp"
#include "svi/io/video_reader.hpp"

namespace svi {
namespace {

// Containers that hold their media themselves; playlists, which name other files, are not among
// them.
constexpr const char* kFormats =
    "mov,mp4,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,flv,ogg,yuv4mpegpipe,image2,h264,hevc,"
    "apng,"
    "png_pipe,jpeg_pipe,bmp_pipe,webp_pipe,tiff_pipe,ppm_pipe,pgm_pipe";

av::Input open_input(const std::string& path, const char* demuxer) {
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "format_whitelist", kFormats, 0);
  av_dict_set(&options, "pattern_type", "none", 0);  // image2: a '%' in a name is a '%'
  AVFormatContext* raw = nullptr;
  // "file:" keeps a name such as "concat:a|b" from being read as a protocol.
  const int code =
      avformat_open_input(&raw, ("file:" + path).c_str(),
                          demuxer == nullptr ? nullptr : av_find_input_format(demuxer), &options);
  av_dict_free(&options);
  av::check(code, path, "cannot be read as a video or image");
  return av::Input(raw);
}

StillFile inspect(const std::string& path) {
  if (!std::filesystem::exists(path)) raise<IoError>(path, ": no such file");
  if (!std::filesystem::is_regular_file(path)) raise<IoError>(path, ": is not a file");
  const Mapping bytes(path);
  if (bytes.size() == 0) raise<IoError>(path, ": is empty; it cannot be read as a video or image");
  const std::string_view all(bytes.data(), bytes.size());
  auto still = inspect_still(all);
  if (!still.problem.empty()) raise<IoError>(path, ": ", still.problem);
  if (ends_within_a_box(all))
    raise<IoError>(path, ": is cut short: its last part ends beyond the file; copy it again");
  return still;
}

bool is_picture_of_sound(const AVStream* stream) {
  return (stream->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS)) !=
         0;
}

/// WebM keeps transparency beside the video, where only the decoders of libvpx look for it.
const AVCodec* find_decoder(const AVStream* stream) {
  const auto id = stream->codecpar->codec_id;
  const auto* alpha = av_dict_get(stream->metadata, "alpha_mode", nullptr, 0);
  if (alpha != nullptr && std::string(alpha->value) == "1") {
    const char* name = id == AV_CODEC_ID_VP9 ? "libvpx-vp9" : "libvpx";
    const AVCodec* decoder = avcodec_find_decoder_by_name(name);
    if (decoder != nullptr && decoder->id == id) return decoder;
  }
  return avcodec_find_decoder(id);
}

}  // namespace

MediaFile::MediaFile(const std::string& path, bool only_header) : still(inspect(path)) {
  av::capture_log();
  av::forget_log();
  input = open_input(path, still.demuxer);
  if (!only_header)
    av::check(avformat_find_stream_info(input.get(), nullptr), path, "cannot be read as a video");
  int best = av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  bool sound = false, pictures = false;
  for (unsigned i = 0; i < input.get()->nb_streams; ++i) {
    const AVStream* each = input.get()->streams[i];
    sound = sound || each->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
    if (each->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) continue;
    pictures = true;
    const bool wanted = best >= 0 && !is_picture_of_sound(input.get()->streams[best]);
    if (!wanted && !is_picture_of_sound(each)) best = static_cast<int>(i);
  }
  if (best < 0 || is_picture_of_sound(input.get()->streams[best])) {
    raise<NoVideo>(path, ": has no video", sound || pictures ? ", only " : "", sound ? "sound" : "",
                   sound && pictures ? " and " : "", pictures ? "a cover picture" : "");
  }
  stream = input.get()->streams[best];
  decoder = find_decoder(stream);
  if (decoder == nullptr)
    raise<IoError>(path, ": its video is ", avcodec_get_name(stream->codecpar->codec_id),
                   ", which this FFmpeg cannot decode");
  const std::string format = input.get()->iformat->name;
  const bool piped = format.size() > 5 && format.substr(format.size() - 5) == "_pipe";
  image = piped || format == "image2";
}

std::string no_video_reason(const std::string& path) {
  try {
    const MediaFile file(path, /*only_header=*/true);
  } catch (const NoVideo& error) {
    return error.what();
  } catch (const IoError&) {  // told when it is read
  }
  return {};
}

}  // namespace svi
