using DaprPlatform.Sidecar.Bindings;
using DaprPlatform.Sidecar.Components;
using DaprPlatform.Sidecar.Pluggable.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Pluggable;

/// <summary>An output binding that is a program of its own.</summary>
internal sealed class PluggableOutputBinding(ComponentSpec spec, CallInvoker calls) : IOutputBinding
{
    private readonly OutputBinding.OutputBindingClient _binding = new(calls);
    private readonly Metadata _headers = PluggableCalls.Headers(spec);

    public IReadOnlyList<string> Operations { get; private set; } = [];

    public IReadOnlyList<string> Capabilities { get; } = BindingDirection.IsOutput(spec) ? ["OUTPUT_BINDING"] : [];

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        await PluggableCalls.InitAsync(_binding.InitAsync(new OutputBindingInitRequest { Metadata = PluggableCalls.Properties(spec) }, _headers, cancellationToken: cancellationToken)).ConfigureAwait(false);
        try
        {
            Operations = (await _binding.ListOperationsAsync(new ListOperationsRequest(), _headers, cancellationToken: cancellationToken).ConfigureAwait(false)).Operations;
        }
        catch (RpcException e)
        {
            throw new ComponentException(PluggableCalls.Words(e), e);
        }
    }

    public async ValueTask<BindingResponse?> InvokeAsync(BindingRequest request, CancellationToken cancellationToken)
    {
        var wire = new InvokeRequest { Data = ByteString.CopyFrom(request.Data.Span), Operation = request.Operation };
        PluggableCalls.Add(wire.Metadata, request.Metadata);
        try
        {
            var answer = await _binding.InvokeAsync(wire, _headers, cancellationToken: cancellationToken).ConfigureAwait(false);
            return new BindingResponse(answer.Data.Memory, new Dictionary<string, string>(answer.Metadata));
        }
        catch (RpcException e)
        {
            throw new BindingException(PluggableCalls.Words(e), inner: e);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>An input binding that is a program of its own.</summary>
internal sealed class PluggableInputBinding(ComponentSpec spec, CallInvoker calls) : IInputBinding
{
    private readonly InputBinding.InputBindingClient _binding = new(calls);
    private readonly Metadata _headers = PluggableCalls.Headers(spec);
    private readonly ILogger _logger = spec.Loggers.CreateLogger("dapr.runtime.pluggable");

    public IReadOnlyList<string> Capabilities { get; } = BindingDirection.IsInput(spec) ? ["INPUT_BINDING"] : [];

    public Task InitAsync(CancellationToken cancellationToken) =>
        PluggableCalls.InitAsync(_binding.InitAsync(new InputBindingInitRequest { Metadata = PluggableCalls.Properties(spec) }, _headers, cancellationToken: cancellationToken));

    public ValueTask<IAsyncDisposable> BeginAsync(BindingHandler handler, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IAsyncDisposable>(new PluggableStream<ReadRequest, ReadResponse>(() => _binding.Read(_headers), null, async (message, stopping) =>
        {
            var answer = new ReadRequest { MessageId = message.MessageId };
            try
            {
                var said = await handler(new BindingEvent(message.Data.Memory, new Dictionary<string, string>(message.Metadata)), stopping).ConfigureAwait(false);
                answer.ResponseData = UnsafeByteOperations.UnsafeWrap(said);
            }
            catch (Exception e)
            {
                answer.ResponseError = new AckResponseError { Message = e.Message };
            }

            return answer;
        }, _logger, static message => new ReadRequest { MessageId = message.MessageId, ResponseError = new AckResponseError { Message = "input binding is closed" } }));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A program that is both.</summary>
internal sealed class PluggableBinding(ComponentSpec spec, CallInvoker calls) : IInputBinding, IOutputBinding
{
    private readonly PluggableInputBinding _input = new(spec, calls);
    private readonly PluggableOutputBinding _output = new(spec, calls);

    public IReadOnlyList<string> Operations => _output.Operations;

    public IReadOnlyList<string> Capabilities => [.. _input.Capabilities, .. _output.Capabilities];

    public async Task InitAsync(CancellationToken cancellationToken)
    {
        await _input.InitAsync(cancellationToken).ConfigureAwait(false);
        await _output.InitAsync(cancellationToken).ConfigureAwait(false);
    }

    public ValueTask<IAsyncDisposable> BeginAsync(BindingHandler handler, CancellationToken cancellationToken) => _input.BeginAsync(handler, cancellationToken);

    public ValueTask<BindingResponse?> InvokeAsync(BindingRequest request, CancellationToken cancellationToken) => _output.InvokeAsync(request, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
