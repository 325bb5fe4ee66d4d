using System.Net;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;
using Wire = Dapr.Proto.Runtime.V1;

namespace DaprPlatform.Sidecar.Fuzzing.Tests;

public sealed class GrpcFuzzTests(FuzzedSidecar sidecar) : IClassFixture<FuzzedSidecar>
{
    private const int Deepest = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // All that answer by themselves: shutting down is left out.
    private static readonly MethodDescriptor[] Unary = [.. Wire.DaprReflection.Descriptor.Services[0].Methods.Where(m => !m.IsClientStreaming && !m.IsServerStreaming && m.Name != "Shutdown")];

    [Fact]
    public async Task No_message_makes_an_exception()
    {
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.GrpcPort}");
        var invoker = channel.CreateCallInvoker();
        foreach (var (method, request, metadata) in Inputs.Sample(Gen.Elements(Unary).SelectMany(m => Message(m.InputType, Deepest).SelectMany(r => Metadata.Select(md => (m, r, md)))), 1500, 11))
        {
            var status = await CallAsync(invoker, method, request.ToByteArray(), metadata);
            Check($"{method.Name} {request}", status);
        }

        Assert.True(sidecar.IsHealthy);
    }

    [Fact]
    public async Task No_bytes_in_place_of_a_message_make_an_exception()
    {
        using var channel = GrpcChannel.ForAddress($"http://127.0.0.1:{sidecar.GrpcPort}");
        var invoker = channel.CreateCallInvoker();
        var bytes = Gen.Choose(0, 300).SelectMany(n => Gen.ArrayOf(Gen.Choose(0, 255), n)).Select(b => b.Select(x => (byte)x).ToArray());
        foreach (var (method, body) in Inputs.Sample(Gen.Elements(Unary).SelectMany(m => Gen.Frequency((2, bytes), (1, Message(m.InputType, 3).SelectMany(r => Gen.Choose(0, 1000).Select(at => Cut(r.ToByteArray(), at))))).Select(b => (m, b))), 600, 12))
            Check($"{method.Name} {Convert.ToHexString(body)}", await CallAsync(invoker, method, body, []));
    }

    [Fact]
    public async Task Frames_that_are_no_gRPC_are_refused_and_the_sidecar_goes_on()
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact, Timeout = Patience };
        var frames = Gen.Choose(0, 60).SelectMany(n => Gen.ArrayOf(Gen.Choose(0, 255), n)).Select(b => b.Select(x => (byte)x).ToArray());
        var paths = Gen.OneOf(Gen.Elements(Unary).Select(m => $"/{m.Service.FullName}/{m.Name}"), Gen.Elements("/", "/x", "/dapr.proto.runtime.v1.Dapr/", "/dapr.proto.runtime.v1.Dapr/Nothing", "/TaskHubSidecarService/Hello", "/grpc.health.v1.Health/Check", "/a/b/c/%00"));
        foreach (var (path, frame, type) in Inputs.Sample(paths.SelectMany(p => frames.SelectMany(f => Gen.Elements("application/grpc", "application/grpc+proto", "application/json", "text/plain", "").Select(t => (p, f, t)))), 400, 13))
        {
            using var content = new ByteArrayContent(frame);
            if (type.Length > 0)
                content.Headers.TryAddWithoutValidation("Content-Type", type);
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{sidecar.GrpcPort}{path}") { Content = content };
            using var answer = await http.SendAsync(request);
            Assert.True((int)answer.StatusCode < 500, $"{path} {Convert.ToHexString(frame)}: {answer.StatusCode}");
        }

        Assert.Empty(sidecar.TakeFailures());
    }

    private static Gen<Metadata> Metadata { get; } = Inputs.Headers.Select(headers =>
    {
        var metadata = new Metadata();
        foreach (var (name, value) in headers)
        {
            // Those that make another call of it are tried over HTTP.
            if (name is not ("dapr-app-id" or "content-type" or "te" or "expect" or "content-encoding" or "accept") && value.All(c => c is >= ' ' and <= '~'))
                metadata.Add(name, value);
        }

        return metadata;
    });

    private static Gen<IMessage> Message(MessageDescriptor type, int depth) => Gen.Choose(0, 2).SelectMany(_ => Gen.ArrayOf(Gen.Choose(0, 3), type.Fields.InDeclarationOrder().Count)).SelectMany(use =>
    {
        var empty = Gen.Constant((IMessage)type.Parser.ParseFrom(ByteString.Empty));
        var fields = type.Fields.InDeclarationOrder().Where((f, i) => use[i] != 0 && (depth > 0 || f.FieldType != FieldType.Message)).ToArray();
        return fields.Aggregate(empty, (made, field) => made.SelectMany(m => Set(m, field, depth)));
    });

    private static Gen<IMessage> Set(IMessage message, FieldDescriptor field, int depth)
    {
        if (field.IsMap)
        {
            // Texts by texts, as nearly all are.
            return Inputs.Name.SelectMany(k => Inputs.Name.Select(v =>
            {
                if (field.Accessor.GetValue(message) is IDictionary<string, string> map)
                    map[Sound(k)] = Sound(v);
                return message;
            }));
        }

        return Value(field, depth).Select(value =>
        {
            if (field.IsRepeated)
                ((System.Collections.IList)field.Accessor.GetValue(message)).Add(value);
            else
                field.Accessor.SetValue(message, value);
            return message;
        });
    }

    private static Gen<object> Value(FieldDescriptor field, int depth) => field.FieldType switch
    {
        FieldType.String => Inputs.Name.Select(n => (object)Sound(n)),
        FieldType.Bytes => Inputs.Body.Select(b => (object)ByteString.CopyFrom(b.Length > 50_000 ? b[..50_000] : b)),
        FieldType.Bool => Gen.Elements<object>(true, false),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => Gen.Elements<object>(0, 1, -1, int.MaxValue, int.MinValue, 10),
        FieldType.UInt32 or FieldType.Fixed32 => Gen.Elements<object>(0u, 1u, uint.MaxValue),
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => Gen.Elements<object>(0L, -1L, long.MaxValue, long.MinValue),
        FieldType.UInt64 or FieldType.Fixed64 => Gen.Elements<object>(0UL, ulong.MaxValue),
        FieldType.Float => Gen.Elements<object>(0f, float.NaN, float.MaxValue),
        FieldType.Double => Gen.Elements<object>(0.0, double.NaN, double.PositiveInfinity, -1.5),
        FieldType.Enum => Gen.Elements<object>(field.EnumType.Values.Select(v => System.Enum.ToObject(field.EnumType.ClrType, v.Number)).Append(System.Enum.ToObject(field.EnumType.ClrType, 99))),
        _ => Message(field.MessageType, depth - 1).Select(m => (object)m),
    };

    private static async Task<Status> CallAsync(CallInvoker invoker, MethodDescriptor method, byte[] request, Metadata metadata)
    {
        var bytes = Marshallers.Create<byte[]>(static b => b, static b => b);
        var called = new Method<byte[], byte[]>(MethodType.Unary, method.Service.FullName, method.Name, bytes, bytes);
        try
        {
            await invoker.AsyncUnaryCall(called, null, new CallOptions(metadata, DateTime.UtcNow + Patience), request).ResponseAsync;
            return Status.DefaultSuccess;
        }
        catch (RpcException e)
        {
            return e.Status;
        }
    }

    private void Check(string what, Status status)
    {
        var failures = sidecar.TakeFailures();
        Assert.True(failures.Length == 0, $"{what}: {string.Join('\n', failures)}");
        Assert.False(status.Detail.StartsWith("Exception was thrown by handler", StringComparison.Ordinal) || status.StatusCode == StatusCode.DeadlineExceeded, $"{what}: {status}");
    }

    private static byte[] Cut(byte[] message, int at) => message.Length == 0 ? [0xff] : message[..(at % message.Length)];

    private static string Sound(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
