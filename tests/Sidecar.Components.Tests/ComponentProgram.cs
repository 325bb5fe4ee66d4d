using System.Collections.Concurrent;
using System.Threading.Channels;
using DaprPlatform.Sidecar.Pluggable.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Components.Tests;

/// <summary>A component that is a program of its own: all kinds behind one socket, in this process.</summary>
internal sealed class ComponentProgram : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ComponentProgram(WebApplication app) => _app = app;

    public ConcurrentDictionary<string, (byte[] Data, string ETag)> State { get; } = new();

    public Channel<PullMessagesResponse> Messages { get; } = Channel.CreateUnbounded<PullMessagesResponse>();

    public Channel<PullMessagesRequest> Acknowledged { get; } = Channel.CreateUnbounded<PullMessagesRequest>();

    public Channel<ReadResponse> Events { get; } = Channel.CreateUnbounded<ReadResponse>();

    public Channel<ReadRequest> Answered { get; } = Channel.CreateUnbounded<ReadRequest>();

    public ConcurrentDictionary<string, string> Properties { get; } = new();

    public ConcurrentQueue<SetRequest> Saved { get; } = new();

    public ConcurrentQueue<PublishRequest> Published { get; } = new();

    public string? Instance { get; set; }

    /// <summary>Its transactions may have this many operations; 0: it has none at all.</summary>
    public long MostOperations { get; private init; }

    /// <param name="mostOperations">Of a transaction; 0: it has none.</param>
    /// <param name="finalReflection">It answers reflection under its final name alone.</param>
    public static async Task<ComponentProgram> StartAsync(string socket, long mostOperations = 0, bool finalReflection = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.ListenUnixSocket(socket, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        ComponentProgram? program = null;
        builder.Services.AddSingleton(_ => program!);
        var app = builder.Build();
        program = new ComponentProgram(app) { MostOperations = mostOperations };
        if (finalReflection)
        {
            app.Use((context, next) =>
            {
                var path = context.Request.Path.Value!;
                context.Request.Path = path.StartsWith("/grpc.reflection.v1alpha.", StringComparison.Ordinal) ? "/none/None" : path.Replace("/grpc.reflection.v1.", "/grpc.reflection.v1alpha.", StringComparison.Ordinal);
                return next(context);
            });
            app.UseRouting();
        }

        app.MapGrpcService<Reflection>();
        app.MapGrpcService<Store>();
        app.MapGrpcService<Queries>();
        app.MapGrpcService<Transactions>();
        app.MapGrpcService<Limits>();
        app.MapGrpcService<Broker>();
        app.MapGrpcService<Secrets>();
        app.MapGrpcService<Input>();
        app.MapGrpcService<Output>();
        await app.StartAsync();
        return program;
    }

    public async ValueTask DisposeAsync()
    {
        Messages.Writer.TryComplete();
        Events.Writer.TryComplete();
        await _app.DisposeAsync();
    }

    private void Begin(MetadataRequest metadata, ServerCallContext context)
    {
        foreach (var (name, value) in metadata.Properties)
            Properties[name] = value;
        Instance = context.RequestHeaders.GetValue("x-component-instance");
    }

    internal sealed class Reflection : ServerReflection.ServerReflectionBase
    {
        public override async Task ServerReflectionInfo(IAsyncStreamReader<ServerReflectionRequest> requestStream, IServerStreamWriter<ServerReflectionResponse> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                var list = new ListServiceResponse();
                list.Service.AddRange(new[] { "StateStore", "TransactionalStateStore", "QueriableStateStore", "PubSub", "SecretStore", "InputBinding", "OutputBinding", "TransactionalStoreMultiMaxSize" }.Select(s => new ServiceResponse { Name = "dapr.proto.components.v1." + s }));
                await responseStream.WriteAsync(new ServerReflectionResponse { ListServicesResponse = list });
            }
        }
    }

    internal sealed class Store(ComponentProgram program) : StateStore.StateStoreBase
    {
        public override Task<InitResponse> Init(InitRequest request, ServerCallContext context)
        {
            program.Begin(request.Metadata, context);
            return program.Properties.ContainsKey("refuse") ? throw new RpcException(new Status(StatusCode.Internal, "it will not")) : Task.FromResult(new InitResponse());
        }

        public override Task<FeaturesResponse> Features(FeaturesRequest request, ServerCallContext context)
        {
            var features = new FeaturesResponse();
            features.Features.AddRange(["ETAG", "TTL", "QUERY_API"]);
            if (program.MostOperations > 0)
                features.Features.Add("TRANSACTIONAL");
            return Task.FromResult(features);
        }

        public override Task<GetResponse> Get(GetRequest request, ServerCallContext context) => request.Key.EndsWith("broken", StringComparison.Ordinal)
            ? throw new RpcException(new Status(StatusCode.DataLoss, "unreadable"))
            : Task.FromResult(program.State.TryGetValue(request.Key, out var item)
            ? new GetResponse { Data = Google.Protobuf.ByteString.CopyFrom(item.Data), Etag = new Etag { Value = item.ETag } }
            : new GetResponse());

        public override Task<SetResponse> Set(SetRequest request, ServerCallContext context)
        {
            program.Saved.Enqueue(request);
            if (request.Etag is { } etag && (!program.State.TryGetValue(request.Key, out var old) || old.ETag != etag.Value))
                throw new RpcException(new Status(StatusCode.FailedPrecondition, "another one"));
            program.State[request.Key] = (request.Value.ToByteArray(), (program.State.Count + 1).ToString(System.Globalization.CultureInfo.InvariantCulture));
            return Task.FromResult(new SetResponse());
        }

        public override Task<BulkGetResponse> BulkGet(BulkGetRequest request, ServerCallContext context)
        {
            if (request.Items.All(i => !i.Key.EndsWith("broken", StringComparison.Ordinal)))
                throw new RpcException(new Status(StatusCode.Unimplemented, "one by one"));
            var answer = new BulkGetResponse();
            answer.Items.AddRange(request.Items.Select(i => i.Key.EndsWith("broken", StringComparison.Ordinal) ? new BulkStateItem { Key = i.Key, Error = "unreadable" } : new BulkStateItem { Key = i.Key }));
            return Task.FromResult(answer);
        }

        public override Task<DeleteResponse> Delete(DeleteRequest request, ServerCallContext context)
        {
            program.State.TryRemove(request.Key, out _);
            return Task.FromResult(new DeleteResponse());
        }
    }

    /// <summary>Answers the item whose key is what the filter's EQ asks of "key", and what it was asked as the token.</summary>
    internal sealed class Queries(ComponentProgram program) : QueriableStateStore.QueriableStateStoreBase
    {
        public override Task<QueryResponse> Query(QueryRequest request, ServerCallContext context)
        {
            var query = request.Query;
            if (!query.Filter.TryGetValue("EQ", out var equals))
                throw new RpcException(new Status(StatusCode.Internal, "only EQ: " + string.Join(",", query.Filter.Select(f => f.Key + f.Value.Value.ToStringUtf8()))));
            var key = System.Text.Json.Nodes.JsonNode.Parse(equals.Value.ToStringUtf8())!["key"]!.GetValue<string>();
            var answer = new QueryResponse { Token = $"{string.Join(",", query.Sort.Select(s => $"{s.Key} {s.Order}"))};{query.Pagination?.Limit};{query.Pagination?.Token};{request.Metadata.GetValueOrDefault("m")}" };
            if (program.State.TryGetValue(key, out var item))
                answer.Items.Add(new QueryItem { Key = key, Data = Google.Protobuf.ByteString.CopyFrom(item.Data), Etag = new Etag { Value = item.ETag } });
            return Task.FromResult(answer);
        }
    }

    internal sealed class Transactions(ComponentProgram program) : TransactionalStateStore.TransactionalStateStoreBase
    {
        public override Task<TransactionalStateResponse> Transact(TransactionalStateRequest request, ServerCallContext context)
        {
            foreach (var set in request.Operations.Select(o => o.Set).OfType<SetRequest>())
                program.State[set.Key] = (set.Value.ToByteArray(), "1");
            return Task.FromResult(new TransactionalStateResponse());
        }
    }

    internal sealed class Limits(ComponentProgram program) : TransactionalStoreMultiMaxSize.TransactionalStoreMultiMaxSizeBase
    {
        public override Task<MultiMaxSizeResponse> MultiMaxSize(MultiMaxSizeRequest request, ServerCallContext context) => Task.FromResult(new MultiMaxSizeResponse { MaxSize = program.MostOperations });
    }

    internal sealed class Broker(ComponentProgram program) : Pluggable.Wire.PubSub.PubSubBase
    {
        public override Task<PubSubInitResponse> Init(PubSubInitRequest request, ServerCallContext context)
        {
            program.Begin(request.Metadata, context);
            return Task.FromResult(new PubSubInitResponse());
        }

        public override Task<FeaturesResponse> Features(FeaturesRequest request, ServerCallContext context) => Task.FromResult(new FeaturesResponse());

        public override Task<PublishResponse> Publish(PublishRequest request, ServerCallContext context)
        {
            program.Published.Enqueue(request);
            program.Messages.Writer.TryWrite(new PullMessagesResponse { Id = "m1", TopicName = request.Topic, Data = request.Data });
            return Task.FromResult(new PublishResponse());
        }

        public override async Task PullMessages(IAsyncStreamReader<PullMessagesRequest> requestStream, IServerStreamWriter<PullMessagesResponse> responseStream, ServerCallContext context)
        {
            var writing = Task.Run(async () =>
            {
                await foreach (var message in program.Messages.Reader.ReadAllAsync(context.CancellationToken))
                    await responseStream.WriteAsync(message);
            });
            while (await requestStream.MoveNext(context.CancellationToken))
                program.Acknowledged.Writer.TryWrite(requestStream.Current);
            Assert.NotNull(writing);
        }
    }

    internal sealed class Secrets(ComponentProgram program) : SecretStore.SecretStoreBase
    {
        public override Task<SecretStoreInitResponse> Init(SecretStoreInitRequest request, ServerCallContext context)
        {
            program.Begin(request.Metadata, context);
            return Task.FromResult(new SecretStoreInitResponse());
        }

        public override Task<GetSecretResponse> Get(GetSecretRequest request, ServerCallContext context)
        {
            var answer = new GetSecretResponse();
            answer.Data[request.Key] = "secret of " + request.Key;
            return Task.FromResult(answer);
        }
    }

    internal sealed class Input(ComponentProgram program) : InputBinding.InputBindingBase
    {
        public override Task<InputBindingInitResponse> Init(InputBindingInitRequest request, ServerCallContext context) => Task.FromResult(new InputBindingInitResponse());

        public override async Task Read(IAsyncStreamReader<ReadRequest> requestStream, IServerStreamWriter<ReadResponse> responseStream, ServerCallContext context)
        {
            var writing = Task.Run(async () =>
            {
                await foreach (var @event in program.Events.Reader.ReadAllAsync(context.CancellationToken))
                    await responseStream.WriteAsync(@event);
            });
            while (await requestStream.MoveNext(context.CancellationToken))
                program.Answered.Writer.TryWrite(requestStream.Current);
            Assert.NotNull(writing);
        }
    }

    internal sealed class Output : OutputBinding.OutputBindingBase
    {
        public override Task<OutputBindingInitResponse> Init(OutputBindingInitRequest request, ServerCallContext context) => Task.FromResult(new OutputBindingInitResponse());

        public override Task<ListOperationsResponse> ListOperations(ListOperationsRequest request, ServerCallContext context)
        {
            var answer = new ListOperationsResponse();
            answer.Operations.Add("shout");
            return Task.FromResult(answer);
        }

        public override Task<InvokeResponse> Invoke(InvokeRequest request, ServerCallContext context) =>
            Task.FromResult(new InvokeResponse { Data = Google.Protobuf.ByteString.CopyFromUtf8(request.Data.ToStringUtf8().ToUpperInvariant()) });
    }
}
